import { parseCommand } from "@waymark/agent";
import { stampCommand } from "./cli.ts";

const SECOND = 1_000_000_000n;
const parse = (line: string) => parseCommand(stampCommand, line.split(" "), {});

test.each<[string, object]>([
  [
    "sender eth0 111.222.33.44 -c100 -i 0.5 -d 1000 -s 1001",
    {
      device: "eth0",
      host: ["111.222.33.44"],
      count: 100,
      interval: SECOND / 2n,
      destinationPort: 1000,
      sourcePort: 1001,
    },
  ],
  [
    "sender eth0 h",
    { count: 0, interval: SECOND, sourcePort: 862, destinationPort: 862, wait: SECOND, histpath: "./hist" },
  ],
  ["sender eth0 h --hist 10 -5 100 -w 2", { hist: [10, -5, 100], wait: 2n * SECOND }],
  ["sender eth0 h1 h2 --enforce-sync", { host: ["h1", "h2"], enforceSync: true, enforcePtp: false }],
  ["reflector eth0 -p 1000", { device: "eth0", port: 1000, output: false }],
  [
    "reflector eth0 --output --hist 20 0 50 --histpath /tmp/h --debug --enforce-ptp",
    { output: true, hist: [20, 0, 50], histpath: "/tmp/h", debug: true, enforcePtp: true },
  ],
])("as the earlier tool: stamp %s", (line, values) => {
  const parsed = parse(line);
  expect(parsed.kind === "run" && parsed.values).toMatchObject(values);
});

test.each(["sender --help", "reflector --help"])("stamp %s shows an example", (line) => {
  const parsed = parse(line);
  expect(parsed.kind !== "run" && parsed.text).toMatch(/stamp (sender|reflector) eth0/);
});

test.each([
  ["sender eth0 h -i 0", /0/],
  ["sender eth0 h --tlv class-of-service=64", /64/],
  ["reflector eth0 --answer-dscp 64", /64/],
  ["reflector", /DEV/],
])("stamp %s is refused with the value", (line, message) => {
  expect(() => parse(line)).toThrow(message);
});
