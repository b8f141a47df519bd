import { parseCommand } from "@waymark/agent";
import { ppingCommand } from "./cli.ts";
import { measurementOf } from "./config.ts";

function parse(...argv: string[]) {
  const parsed = parseCommand(ppingCommand, argv, {});
  if (parsed.kind !== "run") throw new Error(parsed.text);
  return parsed.values;
}

const SECOND = 1_000_000_000n;

test("the earlier tool's defaults", () => {
  const values = parse("-i", "eth0");
  expect(values).toMatchObject({ interface: "eth0", format: "standard", write: undefined, seedFormat: false });
  expect(measurementOf(values)).toMatchObject({
    methods: { tcp: true, icmp: false, sequence: false, handshake: false, dns: false, quic: false },
    rateLimitNs: 100_000_000n,
    rttRate: 0,
    smoothed: false,
    cleanupNs: SECOND,
    includeLocal: false,
    includeSyn: false,
    ingress: "tc",
    xdpMode: "native",
    aggregation: undefined,
    flows: 131_072,
    stamps: 131_072,
  });
});

test.each([
  [["-C"], { tcp: false, icmp: true }],
  [["-T", "-C"], { tcp: true, icmp: true }],
  [["--dns"], { tcp: false, dns: true }],
  [["--sequence"], { tcp: true, sequence: true }],
  [["--handshake", "--quic"], { tcp: true, handshake: true, quic: true }],
])("%j measures %j", (argv, methods) => {
  expect(measurementOf(parse(...argv)).methods).toMatchObject(methods);
});

test("--format text, as every agent has it, is standard", () => {
  expect(measurementOf(parse("--format", "text")).format).toBe("standard");
});

test("every option of the earlier tool, to the letter", () => {
  const line =
    "-i eth0 -r 0 -R 2.5 -t smoothed -c 0 -F json -I xdp -x unspecified -TCl --include-SYN -a 5 -4 0 -6 0 -w out -f";
  const values = parse(...line.split(" "), "--aggregate-reverse", "--aggregate-timeout", "60");
  expect(values).toMatchObject({ write: "out", force: true });
  expect(measurementOf(values)).toMatchObject({
    rateLimitNs: 0n,
    rttRate: 2.5,
    smoothed: true,
    cleanupNs: 0n,
    ingress: "xdp",
    xdpMode: "auto",
    includeLocal: true,
    includeSyn: true,
    aggregation: { intervalNs: 5n * SECOND, timeoutNs: 60n * SECOND, ipv4Bits: 0, ipv6Bits: 0, reverse: true },
  });
});

test.each([
  [["-a", "1", "-F", "ppviz"], /ppviz/],
  [["-a", "0.5"], /0\.5/],
  [["-6", "65"], /65/],
  [["-F", "xml"], /xml/],
  [["--flows", "0"], /0/],
  [["-x", "fast"], /fast/],
])("%j is refused with a line that names it", (argv, message) => {
  expect(() => measurementOf(parse(...argv))).toThrow(message);
});
