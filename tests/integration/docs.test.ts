import { readFileSync } from "node:fs";
import { AGENT_ERROR_CODES, agentOptions, type OptionSpec, type PositionalSpec } from "@waymark/agent";
import { altmarkCommand } from "@waymark/altmark";
import { BPF_ERROR_CODES } from "@waymark/bpf-runtime";
import { flowmonCommand } from "@waymark/flowmon";
import { ppingOptions } from "@waymark/pping";
import { LossReason } from "@waymark/proto/query";
import { stampCommand } from "@waymark/stamp";
import { AltmarkReason } from "../../services/altmark/bpf/altmark.gen.ts";
import { collectorCommand } from "../../services/collector/src/cli.ts";
import { Refusal, refusalReasons } from "../../services/collector/src/ingest/refusal.ts";
import { StoreError } from "../../services/collector/src/store/store.ts";
import { FlowmonEvent, FlowmonReason } from "../../services/flowmon/bpf/flowmon.gen.ts";
import { PpingHappening, PpingReason } from "../../services/pping/bpf/pping.gen.ts";
import { StampReflectorCount } from "../../services/stamp/bpf/stamp_reflector.gen.ts";
import { StampSenderCount } from "../../services/stamp/bpf/stamp_sender.gen.ts";
import { tcflowsCommand } from "../../services/tcflows/src/cli.ts";
import type { EndReason } from "../../services/tcflows/src/flow-record.ts";
import { TEMPLATES } from "../../services/tcflows/src/ipfix/template.ts";

const document = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

/** The part of a document under a heading, without deeper ones. */
function section(text: string, heading: string): string {
  const parts = text.split(/^## /m).filter((part) => part.startsWith(`${heading}\n`));
  if (parts.length !== 1) throw new Error(`${parts.length} sections are called ${heading}`);
  return parts[0] as string;
}

/** The cells of the rows of all tables. */
function rows(text: string): string[][] {
  const lines = text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("|---"));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** Everything in code marks in the first column, without the headings' row. */
function names(text: string): string[] {
  return rows(text).flatMap(([first = ""]) => [...first.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string));
}

interface Setting {
  readonly label: string;
  readonly variable: string;
  readonly default: string | undefined;
  readonly aliases: readonly string[];
}

function settings(options: Readonly<Record<string, OptionSpec>>, positionals: readonly PositionalSpec[] = []) {
  const setting = (name: string, spec: OptionSpec | PositionalSpec, label: string): Setting => ({
    label,
    variable: spec.env === false ? "–" : `\`${spec.env ?? `WAYMARK_${name.replaceAll("-", "_").toUpperCase()}`}\``,
    default: spec.defaultText ?? spec.default,
    aliases: "aliases" in spec ? (spec.aliases ?? []) : [],
  });
  return [
    ...positionals.map((spec) => setting(spec.name, spec, spec.name.toUpperCase())),
    ...Object.entries(options).map(([name, spec]) => setting(name, spec, `--${name}`)),
  ];
}

/** The options of a command that not every agent has. */
function ownOptions(options: Readonly<Record<string, OptionSpec>>): Readonly<Record<string, OptionSpec>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(name in agentOptions)));
}

function withoutAgentOptions(options: Readonly<Record<string, OptionSpec>>): Readonly<Record<string, OptionSpec>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(name in agentOptions)));
}

const { source, sink } = altmarkCommand.commands;
const own = ownOptions({ ...source.options, ...sink.options });
const { sender, reflector } = stampCommand.commands;
const ofStamp = Object.fromEntries(
  Object.entries({ ...sender.options, ...reflector.options }).filter(([name]) => !(name in agentOptions)),
);
const tables: readonly (readonly [string, Setting[]])[] = [
  ["Every agent", settings(agentOptions)],
  ["altmark", settings(own, source.positionals)],
  ["tcflows", settings(ownOptions(tcflowsCommand.options))],
  ["flowmon", settings(withoutAgentOptions(flowmonCommand.options))],
  ["pping", settings(ppingOptions)],
  ["stamp", settings(ofStamp, sender.positionals)],
  ["collector", settings(collectorCommand.options, collectorCommand.positionals)],
];

describe("docs/config.md", () => {
  test.each(tables)("%s: each setting once, with its variable and default, and no other", (heading, expected) => {
    const [, ...found] = rows(section(document("config.md"), heading));
    const labels = found.map(([first = ""]) => /--[a-z0-9-]+|^`[A-Z_]+/.exec(first)?.[0].replace("`", ""));
    expect(labels.toSorted()).toEqual(expected.map(({ label }) => label).toSorted());
    for (const setting of expected) {
      const [label, variable, preset] = found[labels.indexOf(setting.label)] as [string, string, string];
      for (const alias of setting.aliases) expect(label).toContain(`\`${alias}\``);
      expect([setting.label, variable]).toEqual([setting.label, setting.variable]);
      if (setting.default !== undefined) expect(preset.replace(/ s$/, "")).toBe(setting.default);
      else expect(preset).toMatch(/^(none|off|on with .*)$/);
    }
  });
});

describe("docs/errors.md", () => {
  const text = document("errors.md");

  test("every code of the agents, the BPF runtime and the collector, and no other", () => {
    const collector = [new Refusal("block", "").code, new StoreError("", "").code];
    const codes = [...Object.keys(AGENT_ERROR_CODES), ...Object.keys(BPF_ERROR_CODES), ...collector];
    const [, ...found] = rows(section(text, "Codes"));
    expect(found.map(([code]) => code).toSorted()).toEqual(codes.map((code) => `\`${code}\``).toSorted());
  });

  test("every reason for which a report is refused, and no other", () => {
    expect(names(section(text, "Why a report is refused")).toSorted()).toEqual([...refusalReasons].toSorted());
  });
});

describe("docs/measurement/altmark.md", () => {
  const text = document("measurement/altmark.md");

  test("every reason why a packet is not measured", () => {
    const reasons = Object.keys(AltmarkReason).filter((name) => name !== "ALTMARK_REASONS");
    const lower = reasons.map((name) => name.replace("ALTMARK_", "").toLowerCase());
    expect(names(section(text, "What is counted"))).toEqual(expect.arrayContaining([...lower, "unseen"]));
  });

  test("every reason of a verdict, and no other", () => {
    const reasons = Object.keys(LossReason).filter((name) => !/^\d+$/.test(name) && name !== "UNSPECIFIED");
    const [, ...found] = rows(section(text, "Verdicts").split("| reason ").at(-1) as string);
    expect(found.map(([reason]) => reason).toSorted()).toEqual(reasons.map((name) => name.toLowerCase()).toSorted());
  });
});

describe("docs/measurement/tcflows.md", () => {
  const text = document("measurement/tcflows.md");

  test("every end of a flow, and no other", () => {
    const ends: Record<EndReason, true> = { fin: true, rst: true, idle: true, shutdown: true, resources: true };
    expect(names(section(text, "From the first packet to the last")).toSorted()).toEqual(Object.keys(ends).toSorted());
  });

  test("every information element of IPFIX", () => {
    const elements = Object.values(TEMPLATES).flatMap((template) => template.elements.map(({ name }) => name));
    const listed = section(text, "IPFIX");
    const addresses = /^(source|destination)IPv[46]Address$/;
    for (const name of elements) if (!addresses.test(name)) expect(listed).toContain(name);
  });
});

test("docs/measurement/flowmon.md: every reason and event", () => {
  const listed = names(section(document("measurement/flowmon.md"), "What is counted"));
  const counted = Object.keys({ ...FlowmonReason, ...FlowmonEvent }).filter((name) => !/_(REASONS|EVENTS)$/.test(name));
  expect(listed).toEqual(expect.arrayContaining(counted.map((name) => name.replace("FLOWMON_", "").toLowerCase())));
});

test("docs/measurement/pping.md: every counter", () => {
  const listed = names(section(document("measurement/pping.md"), "What is counted"));
  const counted = Object.keys({ ...PpingReason, ...PpingHappening }).filter(
    (name) => !/_(REASONS|HAPPENINGS)$/.test(name),
  );
  expect(listed).toEqual(expect.arrayContaining(counted.map((name) => name.replace("PPING_", "").toLowerCase())));
});

describe("docs/measurement/stamp.md", () => {
  const text = document("measurement/stamp.md");

  test.each([
    ["What a reflector counts", StampReflectorCount],
    ["What a sender counts", StampSenderCount],
  ])("%s: every counter of the packet programs", (heading, counters) => {
    const ends = Object.keys(counters).filter((name) => !name.endsWith("_COUNTS"));
    const lower = ends.map((name) => name.replace("STAMP_", "").toLowerCase());
    expect(names(section(text, heading))).toEqual(expect.arrayContaining(lower));
  });
});
