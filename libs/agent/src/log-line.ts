/** Fields that the readable line has elsewhere or leaves out. */
const HEAD = new Set(["level", "time", "pid", "name", "msg"]);

interface LogRecord {
  readonly level: string;
  readonly time: string;
  readonly name: string;
  readonly msg: string;
}

/** "12:01:02 warn altmark: event key=value" from one JSON log line; ends with a line feed. */
export function formatLogLine(json: string): string {
  const record = JSON.parse(json) as LogRecord;
  const time = new Date(record.time).toTimeString().slice(0, 8);
  const fields = Object.entries(record)
    .filter(([key]) => !HEAD.has(key))
    .map(([key, value]) => ` ${key}=${text(value)}`)
    .join("");
  return `${time} ${record.level} ${record.name}: ${record.msg}${fields}\n`;
}

function text(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? String(value);
  return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
}
