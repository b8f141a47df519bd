import { parseCommand } from "@waymark/agent";
import { tcflowsCommand } from "./cli.ts";
import { measurementOf } from "./config.ts";

const SECOND = 1_000_000_000n;

function valuesOf(line: string, env: Readonly<Record<string, string>> = {}) {
  const parsed = parseCommand(tcflowsCommand, line.split(" ").slice(1), env);
  if (parsed.kind !== "run") throw new Error(parsed.text);
  return parsed.values;
}

test.each([
  ["tc-flows -iface eth0", { iface: ["eth0"], freq: 5n * SECOND }],
  ["tc-flows -iface eth0 -freq 5s", { iface: ["eth0"], freq: 5n * SECOND }],
  ["tc-flows -iface=eth0 -freq=1m30s", { iface: ["eth0"], freq: 90n * SECOND }],
  ["tc-flows -freq 500ms -iface wlan0", { iface: ["wlan0"], freq: SECOND / 2n }],
  ["tc-flows --iface eth0 --freq 5s", { iface: ["eth0"], freq: 5n * SECOND }],
])("the earlier tool's command line works to the letter: %s", (line, values) => {
  expect(valuesOf(line)).toMatchObject({
    ...values,
    bytes: "l2",
    sort: "bytes",
    intervalTotals: false,
    order: "first",
  });
});

test("several interfaces, by repeating and by commas; each once", () => {
  const { devices } = measurementOf(valuesOf("tcflows -iface eth0,eth1 -i eth2 --iface eth0"));
  expect(devices).toEqual(["eth0", "eth1", "eth2"]);
});

test.each([
  ["tcflows -i eth0", SECOND],
  ["tcflows -i eth0 -freq 100ms", SECOND / 10n],
  ["tcflows -i eth0 --active-timeout 0.3", (3n * SECOND) / 10n],
  ["tcflows -i eth0 -freq 1h", SECOND],
])("the tables are read as often as anybody wants to know, and each second: %s", (line, readNs) => {
  expect(measurementOf(valuesOf(line)).readNs).toBe(readNs);
});

test("the environment splits filters at semicolons", () => {
  const values = valuesOf("tcflows", { WAYMARK_IFACE: "eth0", WAYMARK_FILTER: "proto=tcp,port=443;host=192.0.2.1" });
  expect(measurementOf(values).rules).toHaveLength(4);
});
