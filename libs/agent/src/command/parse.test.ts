import fc from "fast-check";
import { agentOptions } from "../agent-options.ts";
import { CommandError } from "../errors.ts";
import type { CommandSpec, Environment } from "./command-spec.ts";
import { formatHelp } from "./help.ts";
import { parseCommand } from "./parse.ts";

const spec = {
  name: "probe",
  version: "1.2.3",
  summary: "measure something",
  description: "The first\nparagraph.\n\nThe second one.",
  options: {
    ...agentOptions,
    interval: {
      type: "duration",
      unit: "s",
      aliases: ["-i"],
      default: "10",
      min: "100ms",
      max: "1h",
      help: "length of an interval",
    },
    flow: { type: "string", multiple: true, placeholder: "NAME=RULES", help: "what is measured" },
    guard: { type: "duration", unit: "ms", defaultText: "a quarter of the interval", help: "guard band" },
    "table-size": { type: "integer", min: 1, max: 1000, unit: "flows", default: "100", help: "room for flows" },
    hist: { type: "integer", values: ["BINS", "MIN", "MAX"], help: "print a histogram" },
    ratio: { type: "number", aliases: ["-r"], min: -1, help: "a ratio" },
    verbose: { type: "boolean", aliases: ["-v"], help: "say more" },
    all: { type: "boolean", aliases: ["-a"], help: "everything" },
  },
  commands: {
    source: {
      summary: "the near end",
      positionals: [
        { name: "interface", placeholder: "IFACE", type: "string", help: "the interface" },
        { name: "collector", type: "string", optional: true, env: false, help: "host of the collector" },
        { name: "port", type: "port", optional: true, withPrevious: true, env: false, help: "its port" },
      ],
      examples: [{ command: "probe source eth0", help: "The shortest way." }],
    },
    sink: {
      summary: "the far end",
      positionals: [{ name: "interface", placeholder: "IFACE", type: "string", help: "the interface" }],
      options: { "keep-marks": { type: "boolean", help: "leave the marks" } },
    },
  },
} as const satisfies CommandSpec;

interface Values {
  readonly interval?: bigint;
  readonly interface?: string;
  readonly flow?: readonly string[];
  readonly hist?: readonly number[] | undefined;
  readonly agentId?: string | undefined;
  readonly keepMarks?: boolean;
}

function values(argv: readonly string[], env: Environment = {}): Values {
  const result = parseCommand(spec, argv, env);
  if (result.kind !== "run") throw new Error(`not run: ${result.kind}`);
  return result.values;
}

function complaint(argv: readonly string[], env: Environment = {}): string {
  try {
    parseCommand(spec, argv, env);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === 2) return error.message;
    throw error;
  }
  return "";
}

describe("precedence", () => {
  test("a flag beats the environment, the environment the default", () => {
    const env = { WAYMARK_INTERVAL: "20" };
    expect(values(["sink", "eth0"]).interval).toBe(10_000_000_000n);
    expect(values(["sink", "eth0"], env).interval).toBe(20_000_000_000n);
    expect(values(["sink", "eth0", "-i30"], env).interval).toBe(30_000_000_000n);
  });

  test("a positional argument may come from the environment", () => {
    expect(values(["sink"], { WAYMARK_INTERFACE: "eth7" }).interface).toBe("eth7");
    expect(values(["sink", "eth0"], { WAYMARK_INTERFACE: "eth7" }).interface).toBe("eth0");
  });

  test("repeatable values of the environment are split on ;", () => {
    const env = { WAYMARK_FLOW: "a=proto=udp;b=dst=10.0.0.0/8,proto=tcp;" };
    expect(values(["sink", "eth0"], env).flow).toEqual(["a=proto=udp", "b=dst=10.0.0.0/8,proto=tcp"]);
    expect(values(["sink", "eth0", "--flow", "c=d", "--flow=e=f"], env).flow).toEqual(["c=d", "e=f"]);
  });

  test("an empty variable counts as not set", () => {
    expect(values(["sink", "eth0"], { WAYMARK_INTERVAL: "", WAYMARK_REPORT: "" })).toMatchObject({
      interval: 10_000_000_000n,
      report: [],
    });
  });

  test("flags without a value understand words", () => {
    expect(values(["sink", "eth0"], { WAYMARK_KEEP_MARKS: "Yes" }).keepMarks).toBe(true);
    expect(values(["sink", "eth0", "--keep-marks=false"], { WAYMARK_KEEP_MARKS: "1" }).keepMarks).toBe(false);
    expect(complaint(["sink", "eth0"], { WAYMARK_KEEP_MARKS: "maybe" })).toBe(
      'WAYMARK_KEEP_MARKS: "maybe" is neither true nor false',
    );
  });

  test("several values of one option come from one variable", () => {
    expect(values(["sink", "eth0"], { WAYMARK_HIST: "10 -5 5" }).hist).toEqual([10, -5, 5]);
    expect(values(["sink", "eth0"], { WAYMARK_HIST: "10,0,5" }).hist).toEqual([10, 0, 5]);
    expect(complaint(["sink", "eth0"], { WAYMARK_HIST: "10 5" })).toBe(
      'WAYMARK_HIST: "10 5" is not 3 values (BINS MIN MAX)',
    );
  });

  test("what was given is told from what is default", () => {
    const result = parseCommand(spec, ["sink", "eth0", "-i", "10"], { WAYMARK_GUARD: "5" });
    expect(result.kind === "run" && [...result.given].sort()).toEqual(["guard", "interface", "interval"]);
  });

  test("of an option given twice the last one holds", () => {
    expect(values(["sink", "-i1", "eth0", "-i", "2"]).interval).toBe(2_000_000_000n);
  });
});

describe("values", () => {
  test.each([
    ["5s", 5_000_000_000n],
    ["100ms", 100_000_000n],
    ["0.5", 500_000_000n],
    [".5", 500_000_000n],
    ["1m30s", 90_000_000_000n],
    ["1h", 3_600_000_000_000n],
    ["100000us", 100_000_000n],
    ["0.1234567891", 123_456_789n],
  ])("duration %s", (text, ns) => {
    expect(values(["sink", "eth0", "-i", text]).interval).toBe(ns);
  });

  test.each(["", "-1", "s", "5 s", "5x", "1s5", "0x10", "1e3", "5sms", ".", "NaN"])(
    "duration %p is refused",
    (text) => {
      expect(complaint(["sink", "eth0", `--interval=${text}`])).toMatch(/^--interval: /);
    },
  );

  test("negative values follow an option like others", () => {
    expect(values(["sink", "eth0", "-r", "-0.5", "--hist", "3", "-5", "-1"])).toMatchObject({
      ratio: -0.5,
      hist: [3, -5, -1],
    });
  });

  test("-- ends the options", () => {
    expect(values(["sink", "--", "-i"]).interface).toBe("-i");
  });
});

describe("complaints name the value and the way out", () => {
  test.each<[string, string]>([
    ["sink eth0 --intervall 5", "unknown option --intervall; did you mean --interval?"],
    ["sink eth0 --quite-another", "unknown option --quite-another; see --help"],
    ["sink eth0 -x", "unknown option -x; see --help"],
    ["source eth0 --keep-marks", "unknown option --keep-marks; see --help"],
    ["sourse eth0", 'unknown command "sourse"; did you mean source?'],
    ["", "which of source, sink? (see probe --help)"],
    ["sink", "IFACE is missing (or WAYMARK_INTERFACE)"],
    ["sink eth0 eth1", '"eth1" is one argument too many (see --help)'],
    ["source eth0 10.0.0.1", "PORT is missing: it goes with COLLECTOR"],
    ["source eth0 h 70000", 'PORT: "70000" is not a port from 1 to 65535'],
    ["sink eth0 --interval", "--interval needs a value"],
    [
      "sink eth0 --agent-id --verbose",
      '--agent-id needs a value, but "--verbose" follows it (to mean that: --agent-id=--verbose)',
    ],
    ["sink eth0 -i 10ms", '--interval: "10ms" is less than 100ms'],
    ["sink eth0 -i 2h", '--interval: "2h" is more than 1h'],
    ["sink eth0 --table-size 0", '--table-size: "0" is not from 1 to 1000 flows'],
    ["sink eth0 --table-size 1.5", '--table-size: "1.5" is not a whole number from 1 to 1000 flows'],
    ["sink eth0 --hist 1 2", "--hist needs 3 values (BINS MIN MAX)"],
    ["sink eth0 --verbose=perhaps", '--verbose: "perhaps" is neither true nor false'],
    ["sink eth0 --order frist", '--order: "frist" is not one of first, last; did you mean "first"?'],
    ["sink eth0 --agent-id a.b", '--agent-id: "a.b" is not an agent id: 1 to 64 of A-Z a-z 0-9 _ -'],
    ["sink eth0 --report http://h:1", '--report: "http://h:1" is neither nats://HOST:4222 nor grpc://HOST:PORT'],
    [
      "sink eth0 --metrics h:0",
      '--metrics: "h:0" is not [HOST:]PORT with a port from 1 to 65535 (an IPv6 host stands in brackets)',
    ],
  ])("%s", (line, message) => {
    expect(complaint(line === "" ? [] : line.split(" "))).toBe(message);
  });
});

describe("help and version", () => {
  test("are asked for before or after the command, and win over what is missing", () => {
    for (const argv of [["--help"], ["sink", "--help"], ["-h", "sink"], ["sink", "-vh"]]) {
      expect(parseCommand(spec, argv, {})).toMatchObject({ kind: "help" });
    }
    expect(parseCommand(spec, ["--version"], {})).toEqual({ kind: "version", text: "probe 1.2.3\n" });
    expect(parseCommand(spec, ["sink", "-h"], {})).toEqual({ kind: "help", text: formatHelp(spec, "sink") });
  });

  test("a value that looks like -h is none", () => {
    expect(values(["sink", "eth0", "--agent-id=-h"]).agentId).toBe("-h");
  });

  test("no line is longer than 100 columns", () => {
    const lines = ["", "source", "sink"].flatMap((command) => formatHelp(spec, command || undefined).split("\n"));
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test("the text", () => {
    expect(formatHelp(spec, "source")).toMatchSnapshot();
    expect(formatHelp(spec)).toMatchSnapshot();
  });
});

describe("whatever is typed", () => {
  const tokens = fc.oneof(
    fc.constantFrom(
      "source",
      "sink",
      "-i",
      "--interval",
      "--hist",
      "-va",
      "-vi5",
      "--flow=",
      "--",
      "-",
      "-5",
      "=",
      "-=",
      "--=",
    ),
    fc.constantFrom("--__proto__", "--constructor=1", "__proto__", "--toString", "--no-verbose", "-i=", "--help=x"),
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.string({ maxLength: 8 }).map((text) => `--${text}`),
  );

  test("nothing but a CommandError of one line is thrown", () => {
    const names = ["WAYMARK_INTERVAL", "WAYMARK_HIST", "WAYMARK_FLOW", "WAYMARK_METRICS", "WAYMARK_VERBOSE"] as const;
    const environments = fc.dictionary(fc.constantFrom(...names), fc.string({ maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 8 }), environments, (argv, env) => {
        try {
          parseCommand(spec, argv, env);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("a duration means the same in every unit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 3_600_000 }), (ms) => {
        const ns = BigInt(ms) * 1_000_000n;
        for (const text of [`${ms}ms`, `${ms / 1000}s`, `${ms / 1000}`, `${ms * 1000}us`]) {
          expect(values(["sink", "eth0", "-i", text]).interval).toBe(ns);
        }
      }),
    );
  });

  test("joined and separate values mean the same", () => {
    const names = fc.string({ unit: fc.constantFrom(..."abcXYZ019_-"), minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(names, (name) => {
        const joined = values(["sink", "eth0", `--agent-id=${name}`]).agentId;
        expect(joined).toBe(name);
        if (!name.startsWith("-")) expect(values(["--agent-id", name, "sink", "eth0"]).agentId).toBe(name);
      }),
    );
  });
});
