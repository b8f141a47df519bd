import { CommandError } from "@waymark/agent";
import { parseCommandLine } from "./cli.ts";
import type { Config } from "./config.ts";

const root = { uid: 0, terminal: false };

function parse(argv: readonly string[], env: Record<string, string> = {}, host = root): Config {
  const line = parseCommandLine(argv, env, host);
  if (!("config" in line)) throw new Error("not a configuration");
  return line.config;
}

test("the altmark tool's command line", () => {
  expect(parse(["12345"])).toEqual({
    grpcPort: 12_345,
    listen: { host: "localhost", port: 8080 },
    nats: [],
    store: "/var/lib/waymark/collector",
    retentionS: 30 * 86_400,
    print: true,
    metrics: undefined,
    healthFile: undefined,
    logLevel: "info",
  });
});

test("prints when a port is given, when asked to, and on a terminal", () => {
  expect(parse([]).print).toBe(false);
  expect(parse([]).grpcPort).toBe(12_345);
  expect(parse(["--print"]).print).toBe(true);
  expect(parse([], {}, { ...root, terminal: true }).print).toBe(true);
  expect(parse([], { WAYMARK_PRINT: "true" }).print).toBe(true);
  expect(parse([], { WAYMARK_GRPC_PORT: "4000" })).toMatchObject({ print: true, grpcPort: 4000 });
});

test("options, environment, and a flag before the environment", () => {
  const env = { WAYMARK_NATS: "nats://a:4222;nats://b", WAYMARK_LISTEN: "0.0.0.0:1", WAYMARK_RETENTION: "7" };
  expect(parse(["--listen", "9090", "--metrics", "9100"], env)).toMatchObject({
    listen: { host: "localhost", port: 9090 },
    metrics: { host: "localhost", port: 9100 },
    nats: ["nats://a:4222", "nats://b"],
    retentionS: 7 * 86_400,
  });
  expect(parse(["--store", "https://me:pw@ch:8443/net"]).store).toBe("https://me:pw@ch:8443/net");
});

test("a store of the user's own, unless it is root", () => {
  const user = { uid: 1000, terminal: false };
  expect(parse([], { XDG_STATE_HOME: "/state", HOME: "/" }, user).store).toBe("/state/waymark/collector");
  expect(parse([], { HOME: "/" }, user).store).toBe("/.local/state/waymark/collector");
});

test.each([
  [["0"]],
  [["70000"]],
  [["12345", "12346"]],
  [["--listen", "host"]],
  [["--nats", "http://x"]],
  [["--nats", "nats://"]],
  [["--store", "ftp://x"]],
  [["--store", "http://"]],
  [["--retention", "0"]],
  [["--retention", "soon"]],
  [["--log-level", "loud"]],
  [["--nonsense"]],
])("%j is a usage error", (argv) => {
  expect(() => parse(argv)).toThrow(CommandError);
});

test("help has examples that work, and a version", () => {
  const help = parseCommandLine(["--help"], {}, root);
  expect("text" in help && help.text).toContain("npx --no collector 12345");
  expect("text" in help && help.text).toContain("--retention");
  expect(parseCommandLine(["--version"], {}, root)).toEqual({ text: "collector 0.1.0\n" });
});
