import { CommandError } from "@waymark/agent";
import { NO_CONFIG_FILE, parseConfigFile, readConfigFile } from "./config-file.ts";
import { kernelSettings, nextGeneration } from "./kernel-settings.ts";

const WHOLE = `{
  "RULES": {
    "1": "1.1.1.1 2.2.2.2 - 22 TCP",
    "2": "[10.0.0.0/8,2001:db8::/32] - - [53,5353] [TCP,UDP]"
  },
  "EXAMPLES": { "ssh": "- - - 22 TCP" },
  "PATTERN": "0xdeadbeef",
  "OFFSET": 4,
  "SEQUENCE_THRESHOLD": 10,
  "DISPLAY": { "Throughput": "True", "Goodput": "True", "Jitter": "False", "SEQ_ERRORS": "True" },
  "MONITOR_SERVER": "False"
}`;

/** The file with one line replaced. */
const withLine = (from: string, to: string) => WHOLE.replace(from, to);

function refusal(text: string): string {
  try {
    parseConfigFile(text);
  } catch (error) {
    expect(error).toBeInstanceOf(CommandError);
    return (error as Error).message;
  }
  throw new Error("accepted");
}

describe("config.json", () => {
  test("is read as the original's", () => {
    const file = parseConfigFile(WHOLE);
    expect(file).toMatchObject({
      place: { pattern: 0xdeadbeef, offset: 4, octets: 4, littleEndian: false, step: 1n },
      threshold: 10n,
      display: { throughput: true, goodput: true, jitter: false, sequenceErrors: true },
      monitorServer: false,
    });
    expect(file.rules).toHaveLength(2);
    expect(file.rules[0]).toMatchObject({ destinationPorts: [22], protocols: ["TCP"], sourcePorts: [] });
    expect(file.rules[1]?.sources.map(({ family }) => family)).toEqual([4, 6]);
  });

  test("may be almost empty, or missing where nobody named it", () => {
    expect(parseConfigFile("{}")).toEqual(NO_CONFIG_FILE);
    expect(readConfigFile("/nowhere/config.json", false)).toEqual(NO_CONFIG_FILE);
    expect(() => readConfigFile("/nowhere/config.json", true)).toThrow(/\/nowhere\/config.json.*ENOENT/);
  });

  test.each([
    ['{ "PATTERN": "0xFFFFFFFF", "OFFSET": -1 }'],
    ['{ "PATTERN": "0xdeadbeef", "OFFSET": -1 }'],
    ['{ "PATTERN": "", "OFFSET": "-1" }'],
    ["{}"],
  ])("%s: no numbers of datagrams, which the kernel is told too", (text) => {
    const file = parseConfigFile(text);
    expect(file.place).toBeUndefined();
    expect(kernelSettings(file, { place: 1, rules: 1 }).place.mode).toBe(0);
  });

  test("a pattern that is off leaves the offset, counted from the payload", () => {
    expect(parseConfigFile('{ "PATTERN": "0xFFFFFFFF", "OFFSET": 8 }').place).toMatchObject({
      pattern: undefined,
      offset: 8,
    });
  });

  test("numbers of 16 and 64 bits, byte order and step on request", () => {
    const text = '{ "OFFSET": 2, "SEQUENCE_BITS": 16, "SEQUENCE_BYTE_ORDER": "little", "SEQUENCE_STEP": 160 }';
    const file = parseConfigFile(text);
    expect(file.place).toEqual({ pattern: undefined, offset: 2, octets: 2, littleEndian: true, step: 160n });
    expect(kernelSettings(file, { place: 1, rules: 1 }).place).toMatchObject({ mask: 0xffffn, width: 2, step: 160n });
  });

  test.each([
    ["a rule of all -", '{ "RULES": { "1": "- - - - -", "2": "- - - 22 TCP" } }', 2],
    ["no rule", '{ "RULES": {} }', 0],
    ["a list of rules", '{ "RULES": ["- - - 22 TCP"] }', 1],
  ])("%s is one", (_name, text, count) => {
    expect(kernelSettings(parseConfigFile(text), { place: 1, rules: 1 }).rule_count).toBe(count);
  });

  test.each([
    ["a space in a list", withLine("[TCP,UDP]", "[TCP, UDP]"), /line 4: .*space in the list \[TCP, UDP\].*\[TCP,UDP\]/],
    ["a bad address", withLine("1.1.1.1", "1.1.1.300"), /line 3: .*1\.1\.1\.300.*10\.0\.0\.0\/8/],
    ["bits beyond a prefix", withLine("10.0.0.0/8", "10.0.0.1/8"), /line 4: .*10\.0\.0\.0\/8/],
    ["an unknown key", withLine('"OFFSET"', '"OFSET"'), /line 8: "OFSET" is no key.*OFFSET/],
    ["a port that is none", withLine("- 22 TCP", "- 65536 TCP"), /line 3: .*65536 is not 1 to 65535/],
    ["a protocol that is none", withLine("22 TCP", "22 SCTP"), /line 3: .*SCTP is not TCP, UDP, ICMP/],
    [
      "too few parts",
      withLine("1.1.1.1 2.2.2.2 - 22 TCP", "1.1.1.1 22 TCP"),
      /line 3: .*3 parts instead of 5.*SRC DST SPORT DPORT PROTO/,
    ],
    ["an open list", withLine("[53,5353]", "[53,5353"), /line 4: .*\[53,5353 is no list; write \[53,5353\]/],
    ["a list without brackets", withLine("[53,5353]", "53,5353"), /line 4: .*write \[53,5353\]/],
    ["- in a list", withLine("[53,5353]", "[53,-]"), /line 4: .*- alone/],
    ["ports of ICMP", withLine("- 22 TCP", "- 22 ICMP"), /line 3: .*ICMP has no ports/],
    ["a pattern that is none", withLine("0xdeadbeef", "0xdeadbeef00"), /line 7: PATTERN .*0xFFFFFFFF/],
    ["an offset that is none", withLine('"OFFSET": 4', '"OFFSET": "four"'), /line 8: OFFSET "four"/],
    ["an offset before the payload", '{ "OFFSET": -4 }', /OFFSET -4/],
    ["a width that is none", '{ "OFFSET": 0,\n "SEQUENCE_BITS": 24 }', /line 2: SEQUENCE_BITS 24/],
    ["an order that is none", '{ "SEQUENCE_BYTE_ORDER": "middle" }', /SEQUENCE_BYTE_ORDER "middle"/],
    ["a display that is none", withLine('"Jitter"', '"Jiter"'), /line 10: DISPLAY: "Jiter".*Jitter/],
    [
      "neither True nor False",
      withLine('"MONITOR_SERVER": "False"', '"MONITOR_SERVER": "no"'),
      /line 11: MONITOR_SERVER "no"/,
    ],
    ["no JSON", withLine('"OFFSET": 4,', '"OFFSET": 4'), /line 9: not JSON/],
    ["no object", "[]", /line 1: not an object/],
    ["rules without end", `{ "RULES": ["- - ${list(40)} ${list(40)} TCP"] }`, /1600 rules; at most 256/],
  ])("%s is refused with the line and the correct form", (_name, text, message) => {
    expect(refusal(text)).toMatch(message);
  });
});

describe("a new file", () => {
  test("moves only what is different", () => {
    const before = parseConfigFile(WHOLE);
    const first = { place: 1, rules: 1 };
    expect(nextGeneration(first, before, parseConfigFile(WHOLE))).toEqual(first);
    expect(nextGeneration(first, before, parseConfigFile(withLine("22 TCP", "23 TCP")))).toEqual({
      place: 1,
      rules: 2,
    });
    expect(nextGeneration(first, before, parseConfigFile(withLine('"OFFSET": 4', '"OFFSET": 5')))).toEqual({
      place: 2,
      rules: 1,
    });
    expect(nextGeneration(first, before, parseConfigFile(withLine('"Goodput": "True"', '"Goodput": "False"')))).toEqual(
      first,
    );
  });
});

function list(count: number): string {
  return `[${Array.from({ length: count }, (_, i) => i + 1).join(",")}]`;
}
