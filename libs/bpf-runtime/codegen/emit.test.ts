import { Btf, type BtfType } from "./btf.ts";
import type { ElfSymbol } from "./elf.ts";
import { emitModule } from "./emit.ts";

const INT = { kind: "INT", encoding: "(none)" } as const;

/** `__uint(name, value)`: a pointer to an array of that length. Two types, `id` and `id + 1`. */
function hidden(id: number, value: number): readonly BtfType[] {
  return [
    { id, kind: "PTR", name: "(anon)", type_id: id + 1 },
    { id: id + 1, kind: "ARRAY", name: "(anon)", type_id: 1, nr_elems: value },
  ];
}

/** A hash map `flows` from a `__u32` to `struct flow`, and a constant `limit`. */
const TYPES: readonly BtfType[] = [
  { id: 1, ...INT, name: "unsigned int", size: 4, nr_bits: 32 },
  { id: 2, ...INT, name: "unsigned long long", size: 8, nr_bits: 64 },
  { id: 3, ...INT, name: "unsigned short", size: 2, nr_bits: 16 },
  { id: 4, kind: "TYPEDEF", name: "__be16", type_id: 3 },
  {
    id: 5,
    kind: "STRUCT",
    name: "flow",
    size: 16,
    members: [
      { name: "packets", type_id: 2, bits_offset: 0 },
      { name: "port", type_id: 4, bits_offset: 64 },
      { name: "_pad", type_id: 3, bits_offset: 80 },
      { name: "mark", type_id: 1, bits_offset: 96 },
    ],
  },
  ...hidden(10, 1), // type: hash
  ...hidden(12, 64), // max_entries
  { id: 14, kind: "PTR", name: "(anon)", type_id: 1 },
  { id: 15, kind: "PTR", name: "(anon)", type_id: 5 },
  {
    id: 16,
    kind: "STRUCT",
    name: "(anon)",
    size: 32,
    members: [
      { name: "type", type_id: 10, bits_offset: 0 },
      { name: "max_entries", type_id: 12, bits_offset: 64 },
      { name: "key", type_id: 14, bits_offset: 128 },
      { name: "value", type_id: 15, bits_offset: 192 },
    ],
  },
  { id: 17, kind: "VAR", name: "flows", type_id: 16, linkage: "global" },
  { id: 18, kind: "CONST", name: "(anon)", type_id: 2 },
  { id: 19, kind: "VAR", name: "limit", type_id: 18, linkage: "global" },
  { id: 20, kind: "ENUM", name: "flow_state", size: 4, values: [{ name: "FLOW_OPEN", val: 1 }] },
  { id: 21, kind: "PTR", name: "(anon)", type_id: 20 },
  { id: 22, kind: "VAR", name: "flow_states", type_id: 21, linkage: "global" },
  { id: 30, kind: "DATASEC", name: ".maps", size: 0, vars: [{ type_id: 17, size: 32 }] },
  { id: 31, kind: "DATASEC", name: ".rodata", size: 0, vars: [{ type_id: 19, size: 8 }] },
  { id: 32, kind: "DATASEC", name: ".bss", size: 0, vars: [{ type_id: 22, size: 8 }] },
];

const SYMBOLS: readonly ElfSymbol[] = [
  { name: "count", section: "tc", offset: 0, isFunction: true, isGlobal: true },
  { name: "helper", section: ".text", offset: 0, isFunction: true, isGlobal: true },
  { name: "limit", section: ".rodata", offset: 24, isFunction: false, isGlobal: true },
];

const GOLDEN = `// Generated from flow.bpf.c by \`npm run generate -w libs/bpf-runtime\`; not to be edited.
import {
  be16,
  type Codec,
  objectPath,
  type ObjectSpec,
  u32,
  u64,
} from "@waymark/bpf-runtime/generated";

/** \`struct flow\`, 16 octets */
export interface Flow {
  readonly packets: bigint;
  readonly port: number;
  readonly mark: number;
}

export const flow: Codec<Flow> = {
  size: 16,
  decode: (view, at) => ({
    packets: view.getBigUint64(at, true),
    port: view.getUint16(at + 8),
    mark: view.getUint32(at + 12, true),
  }),
  encode: (view, at, value) => {
    u64.encode(view, at, value.packets, "flow.packets");
    be16.encode(view, at + 8, value.port, "flow.port");
    u32.encode(view, at + 12, value.mark, "flow.mark");
  },
};

/** \`enum flow_state\` */
export const FlowState = {
  FLOW_OPEN: 1,
} as const;
export type FlowState = (typeof FlowState)[keyof typeof FlowState];

/** Everything in \`flow.bpf.c\`. */
export const flowSpec = {
  name: "flow",
  objectPath: objectPath(import.meta.url, "flow"),
  programs: {
    count: { type: "tc" },
  },
  maps: {
    flows: { type: "hash", key: u32, value: flow, maxEntries: 64, flags: 0 },
  },
  rodata: {
    limit: { section: ".rodata", offset: 24, codec: u64 },
  },
  data: {},
} as const satisfies ObjectSpec;

export type FlowSpec = typeof flowSpec;
`;

/** The module of the object with type `id` changed. */
function emitWith(id: number, change: Partial<BtfType>): string {
  const types = TYPES.map((type) => (type.id === id ? { ...type, ...change } : type));
  return emitModule({ name: "flow", btf: new Btf(types), symbols: SYMBOLS });
}

describe("emitModule", () => {
  test("writes codecs, constants and the spec; the same each time", () => {
    expect(emitWith(0, {})).toBe(GOLDEN);
    expect(emitWith(0, {})).toBe(emitWith(0, {}));
  });

  test("does not depend on the order of sections and symbols", () => {
    const btf = new Btf(TYPES.toReversed());
    expect(emitModule({ name: "flow", btf, symbols: SYMBOLS.toReversed() })).toBe(GOLDEN);
  });

  test("refuses a bit-field", () => {
    const members = [{ name: "bits", type_id: 1, bits_offset: 0, bitfield_size: 3 }];
    expect(() => emitWith(5, { members })).toThrow("flow.bits: bit-fields have no codec; use a whole integer");
  });

  test("refuses a type that is only declared", () => {
    expect(() => emitWith(15, { type_id: 40 })).toThrow("BTF has no type 40");
    expect(() => emitWith(5, { kind: "FWD" })).toThrow(/fwd flow has no layout here/);
  });

  test("refuses a map or a section that the runtime cannot use", () => {
    expect(() => emitWith(11, { nr_elems: 99 })).toThrow("map flows: type 99 is not supported");
    const symbols = [{ ...SYMBOLS[0], section: "kprobe/x" } as ElfSymbol];
    expect(() => emitModule({ name: "flow", btf: new Btf(TYPES), symbols })).toThrow(
      "program count: section kprobe/x is not supported (tc, xdp)",
    );
  });

  test("a file without BTF says so", () => {
    expect(() => Btf.parse('{"error":"failed to load BTF"}')).toThrow("no BTF: failed to load BTF");
  });
});
