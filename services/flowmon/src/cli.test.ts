import { CommandError, parseCommand } from "@waymark/agent";
import { flowmonCommand } from "./cli.ts";
import { measurementOf, parseRtp } from "./config.ts";
import { parseController } from "./controller/main.ts";

const S = 1_000_000_000n;

function parse(line: string, env: Readonly<Record<string, string>> = {}) {
  const words = line.split(" ").filter((word) => word !== "");
  const result = parseCommand(flowmonCommand, words, env);
  if (result.kind !== "run") throw new Error(result.text);
  return result.values;
}

describe("the command line", () => {
  test.each([
    [
      "-i veth1",
      { interface: ["veth1"], interval: S, bits: false, jitter: 0n, packetLoss: false, conf: "config.json" },
    ],
    [
      "-i veth1,veth2 -b -t 2 -j 50",
      { interface: ["veth1", "veth2"], bits: true, interval: 2n * S, jitter: 50_000_000n },
    ],
    [
      "-i eth0 -packet_loss -conf my.json -server_port 8080",
      { packetLoss: true, conf: "my.json", serverPort: { host: "localhost", port: 8080 } },
    ],
    ["-test_throughput -test_jitter", { testThroughput: true, testJitter: true, interface: [] }],
    ["--packet_loss --server_port 0.0.0.0:9000", { packetLoss: true, serverPort: { host: "0.0.0.0", port: 9000 } }],
    ["-t 0.5 --rtp auto --rtp 5004:48000", { interval: S / 2n, rtp: ["auto", "5004:48000"] }],
  ])("%s", (line, expected) => {
    expect(parse(line)).toMatchObject(expected);
  });

  test("settings from the environment", () => {
    const values = parse("", { WAYMARK_INTERFACE: "eth0;eth1", WAYMARK_PACKET_LOSS: "1", WAYMARK_SERVER_PORT: "9100" });
    expect(values).toMatchObject({ interface: ["eth0", "eth1"], packetLoss: true, serverPort: { port: 9100 } });
  });
});

describe("what is measured", () => {
  test("arrivals by default; the jitter with the rest, or by itself", () => {
    expect(measurementOf(parse("-i eth0"))).toMatchObject({
      ingress: true,
      egress: false,
      intervals: { throughputNs: S, jitterNs: 0n },
    });
    expect(measurementOf(parse("-i eth0 -j 1000")).intervals.jitterNs).toBe(0n);
    expect(measurementOf(parse("-i eth0 -j 300 --direction both"))).toMatchObject({
      ingress: true,
      egress: true,
      intervals: { jitterNs: 300_000_000n },
    });
  });

  test("RTP by name or recognised", () => {
    expect(measurementOf(parse("-i eth0 --rtp auto --rtp 5004 --rtp 5006:90000")).rtp).toEqual({
      recognise: true,
      ports: [
        { port: 5004, rate: undefined },
        { port: 5006, rate: 90_000 },
      ],
    });
    for (const text of ["", "0", "65536", "5004:0", "5004:", ":8000", "5004:8000:1", "Auto"])
      expect(parseRtp(text)).toBeUndefined();
    const many = Array.from({ length: 9 }, (_, i) => `--rtp ${5000 + i}`).join(" ");
    expect(() => measurementOf(parse(`-i eth0 ${many}`))).toThrow(/9 --rtp ports are more than 8/);
  });
});

describe("monitor_controller", () => {
  const env = { XDG_RUNTIME_DIR: "/run/user/1" };

  test("passes flowmon's options on as they are", () => {
    const rest = ["-i", "eth0", "-packet_loss", "--detached"];
    expect(parseController(["start", "--detached", ...rest], env)).toMatchObject({
      action: "start",
      detached: true,
      rest,
    });
    expect(parseController(["start", "--pid-file", "/x/y.pid"], env)).toMatchObject({
      detached: false,
      pidFile: "/x/y.pid",
      rest: [],
    });
    expect(parseController(["--help"], env)).toBeUndefined();
  });

  test.each([[[]], [["begin"]], [["stop", "now"]], [["status", "--detached"]], [["start", "--pid-file"]]])(
    "%j is refused",
    (argv) => {
      expect(() => parseController(argv, env)).toThrow(CommandError);
    },
  );
});
