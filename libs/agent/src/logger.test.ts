import { createLogger } from "./logger.ts";

function capture(isTTY: boolean) {
  const lines: string[] = [];
  return { lines, isTTY, write: (text: string) => lines.push(text) };
}

test("lines are JSON where no terminal reads them", () => {
  const stream = capture(false);
  const logger = createLogger({ name: "altmark", stream });
  logger.warn("reports dropped", { dropped: 5n, cause: new Error("no room"), target: "nats://h:4222" });
  logger.debug("not said");
  expect(stream.lines).toHaveLength(1);
  expect(JSON.parse(stream.lines[0] ?? "")).toMatchObject({
    level: "warn",
    name: "altmark",
    msg: "reports dropped",
    dropped: "5",
    cause: "no room",
    target: "nats://h:4222",
  });
});

test("lines are short on a terminal", () => {
  const stream = capture(true);
  createLogger({ name: "altmark", stream }).error("spool fails", { error: "no space left", count: 3 });
  expect(stream.lines[0]).toMatch(/^\d\d:\d\d:\d\d error altmark: spool fails error="no space left" count=3\n$/);
});

test("the level decides what is said", () => {
  const said = (level: "debug" | "error" | "silent") => {
    const stream = capture(false);
    const logger = createLogger({ name: "x", level, stream });
    logger.debug("a");
    logger.info("b");
    logger.warn("c");
    logger.error("d");
    return stream.lines.map((line) => (JSON.parse(line) as { msg: string }).msg).join("");
  };
  expect([said("debug"), said("error"), said("silent")]).toEqual(["abcd", "d", ""]);
});
