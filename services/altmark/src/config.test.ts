import { CommandError, formatHelp, parseCommand } from "@waymark/agent";
import { altmarkCommand } from "./cli.ts";
import { measurementOf } from "./config.ts";

function measurement(...argv: string[]) {
  const parsed = parseCommand(altmarkCommand, ["sink", "eth0", ...argv], {});
  if (parsed.kind !== "run") throw new Error("help?");
  return measurementOf(parsed.command, parsed.values);
}

test("the earlier tool's command works as it is", () => {
  const parsed = parseCommand(altmarkCommand, ["source", "eth0", "10.0.0.1", "12345"], {});
  expect(parsed).toMatchObject({
    kind: "run",
    command: "source",
    values: { interface: "eth0", collector: "10.0.0.1", port: 12345, interval: 10_000_000_000n },
  });
});

test("sane defaults", () => {
  expect(measurement()).toEqual({
    role: "sink",
    intervalNs: 10_000_000_000n,
    guardNs: 2_500_000_000n,
    paths: ["default"],
    rules: [],
    perFlow: false,
    tableSize: 65_536,
    keepMarks: false,
  });
});

test("the environment", () => {
  const env = { WAYMARK_INTERFACE: "eth7", WAYMARK_INTERVAL: "5", WAYMARK_FLOW: "a=proto=udp;b=proto=tcp" };
  const parsed = parseCommand(altmarkCommand, ["sink"], env);
  expect(parsed).toMatchObject({
    values: { interface: "eth7", interval: 5_000_000_000n, flow: ["a=proto=udp", "b=proto=tcp"] },
  });
});

test.each([
  [["-i", "1", "--guard", "500"], /--guard 500 ms is not below half the interval \(500 ms\)/],
  [["--path", "a b"], /"a b"/],
  [["--path", "a", "--path", "a"], /twice/],
  [["--path", "a", "--path", "b"], /path a has no --flow/],
  [["--path", "a", "--path", "b", "--flow", "a/x=proto=udp", "--flow", "b/x=proto=tcp"], /can match the same packet/],
  [["--flow", "a=proto=udp", "--flow", "a=proto=tcp"], /two --flow a/],
  [["--flow", "a=proto=foo"], /proto=foo/],
  [["-i", "0"], /0/],
  [["--delay"], /--delay/],
  [["--mark", "ipv6-option"], /--mark/],
])("%j is refused", (argv, message) => {
  expect(() => measurement(...argv)).toThrow(CommandError);
  expect(() => measurement(...argv)).toThrow(message);
});

test("more rules than the kernel looks at are refused", () => {
  const flows = Array.from({ length: 65 }, (_, i) => ["--flow", `f${i}=dport=${i + 1}`]).flat();
  expect(() => measurement(...flows)).toThrow(/65 --flow are more than 64/);
});

test("the monitor command is not there yet, and says so", () => {
  expect(() => parseCommand(altmarkCommand, ["monitor"], {})).toThrow(CommandError);
});

test("help names the units, the defaults and the environment", () => {
  const help = formatHelp(altmarkCommand, "source");
  for (const part of ["WAYMARK_INTERVAL", "a quarter of the interval", "flows", "altmark source eth0 10.0.0.1 12345"]) {
    expect(help).toContain(part);
  }
});
