import { BpfObject } from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";
import { readBatches, readSingly } from "../src/batch.ts";
import { u32, viewOf } from "../src/codec.ts";
import { type FeaturesSpec, featuresSpec, type SampleCount, sampleCount } from "./bpf/features.gen.ts";
import { countMarks, loadFeatures, PACKET_BYTES, SAMPLE } from "./features.ts";

const ONE: SampleCount = { packets: 1n, bytes: 1n };

let bpf: BpfObject<FeaturesSpec>;

function fillTable(count: number): void {
  const table = bpf.map("table");
  for (let key = 0; key < count; key++) table.set(key, { packets: BigInt(key), bytes: BigInt(key * 2) });
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
  return "none";
}

describePrivileged("maps", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test("a value comes back as it was set, whatever its members", () => {
    const records = bpf.map("records");
    records.set(3, SAMPLE);
    expect(records.get(3)).toEqual(SAMPLE);
    expect(records.get(2)?.sequence).toBe(0n);
  });

  test("an absent key is undefined, not an error", () => {
    expect(bpf.map("table").get(1)).toBeUndefined();
    expect(bpf.map("table").delete(1)).toBe(false);
    expect(bpf.map("records").get(8)).toBeUndefined();
  });

  test("an update can insist on a new or on a known key", () => {
    const table = bpf.map("table");
    expect(codeOf(() => table.set(1, ONE, { mode: "exist" }))).toBe("BPF_NO_KEY");
    table.set(1, ONE, { mode: "no-exist" });
    expect(codeOf(() => table.set(1, ONE, { mode: "no-exist" }))).toBe("BPF_KEY_EXISTS");
    table.set(1, { packets: 2n, bytes: 2n }, { mode: "exist" });
    expect(table.get(1)?.packets).toBe(2n);
    expect(table.delete(1)).toBe(true);
    expect(table.get(1)).toBeUndefined();
  });

  test("batches are the same elements, as they lie in memory", () => {
    fillTable(1000);
    const table = bpf.map("table");
    const found = [...table.batches({ batch: 300 })].length;
    const read = new Map<number, bigint>();
    for (const { keys, values, count } of table.batches({ batch: 300 })) {
      const [keyBytes, valueBytes] = [keys.byteLength / 300, values.byteLength / 300];
      for (let i = 0; i < count; i++)
        read.set(keys.getUint32(i * keyBytes, true), values.getBigUint64(i * valueBytes, true));
    }
    expect(found).toBeGreaterThan(1);
    expect(read).toEqual(new Map(Array.from(table, ([key, value]) => [key, value.packets])));
  });

  test("a full map says so", () => {
    fillTable(1024);
    expect(codeOf(() => bpf.map("table").set(1024, ONE))).toBe("BPF_MAP_FULL");
    expect(codeOf(() => bpf.map("records").set(8, SAMPLE))).toBe("BPF_MAP_FULL");
  });

  test("has the size that was set before load", () => {
    using open = BpfObject.open(featuresSpec);
    open.map("table").setMaxEntries(2);
    expect(() => open.map("table").setMaxEntries(0)).toThrow(RangeError);
    using small = open.load();
    const table = small.map("table");
    expect(table.maxEntries).toBe(2);
    expect(table.info().maxEntries).toBe(2);
    for (const key of [1, 2]) table.set(key, ONE);
    expect(codeOf(() => table.set(3, ONE))).toBe("BPF_MAP_FULL");
  });

  test("tells what it costs", () => {
    const info = bpf.map("table").info();
    expect(info).toMatchObject({ keyBytes: 4, valueBytes: 16, maxEntries: 1024 });
    expect(info.memoryBytes).toBeGreaterThan(1024);
  });

  test("keeps wrong keys out", () => {
    const table = bpf.map("table");
    expect(() => table.get(-1)).toThrow(/table key: -1 is not in 0 to 4294967295/);
    expect(() => table.get("1" as unknown as number)).toThrow(TypeError);
    expect(() => table.set(1, {} as SampleCount)).toThrow(/sample_count\.packets/);
    expect(() => bpf.map("events" as "table")).toThrow(/has no map events of values/);
  });
});

describePrivileged("reading a whole map", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test.each([1, 7, 1023, 1024, 4096])("sees every element once in batches of %d", (batch) => {
    fillTable(1000);
    const seen = [...bpf.map("table").entries({ batch })];
    expect(seen.map(([key]) => key).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, key) => key));
    expect(seen.every(([key, value]) => value.packets === BigInt(key) && value.bytes === BigInt(key * 2))).toBe(true);
    expect([...bpf.map("table").keys({ batch })]).toHaveLength(1000);
  });

  test.each([1, 64, 4096])("a drain in batches of %d takes every element out once", (batch) => {
    fillTable(1000);
    const table = bpf.map("table");
    const drained = new Map(table.drain({ batch }));
    expect(drained.size).toBe(1000);
    expect([...table]).toEqual([]);
  });

  test("a drain that is left early keeps what was not read", () => {
    fillTable(100);
    const table = bpf.map("table");
    for (const [key] of table.drain({ batch: 10 })) {
      expect(key).toBeLessThan(100);
      break;
    }
    const left = [...table].length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(100);
  });

  test("an array is read in order", () => {
    bpf.map("records").set(5, SAMPLE);
    const entries = [...bpf.map("records").entries({ batch: 3 })];
    expect(entries.map(([index]) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(entries[5]?.[1]).toEqual(SAMPLE);
  });

  test("an empty map has nothing", () => {
    expect([...bpf.map("table")]).toEqual([]);
    expect([...bpf.map("table").drain()]).toEqual([]);
  });

  test("a map whose type has no keyed deletion cannot be drained", () => {
    expect(codeOf(() => [...bpf.map("records").drain()])).not.toBe("none");
  });

  test("closing the object ends a reading with an error, not with wrong values", () => {
    fillTable(100);
    expect(
      codeOf(() => {
        for (const _ of bpf.map("table").entries({ batch: 10 })) bpf.close();
      }),
    ).toBe("BPF_CLOSED");
  });

  test.each([true, false])("element by element gives the same as batches (remove: %s)", (remove) => {
    fillTable(300);
    const table = bpf.map("table");
    const source = { fd: table.fd(), name: "table", keyBytes: 4, valueBytes: 16, maxEntries: 1024 };
    const read = (
      batches: Iterable<{ readonly keys: DataView; readonly values: DataView; readonly count: number }>,
    ) => {
      const found = new Map<number, SampleCount>();
      for (const { keys, values, count } of batches) {
        for (let index = 0; index < count; index++) {
          found.set(u32.decode(keys, index * 4), sampleCount.decode(values, index * 16));
        }
      }
      return found;
    };
    const expected = read(readBatches(source, false));
    expect(expected.size).toBe(300);
    expect(read(readSingly(source, remove))).toEqual(expected);
    expect([...table]).toHaveLength(remove ? 0 : 300);
  });

  test("a trie of prefixes is read too", () => {
    const prefixes = bpf.map("prefixes");
    const key = (length: number, address: number) => {
      const bytes = new Uint8Array(8);
      u32.encode(viewOf(bytes), 0, length, "length");
      viewOf(bytes).setUint32(4, address);
      return bytes;
    };
    prefixes.set(key(8, 0x0a00_0000), 8n);
    prefixes.set(key(24, 0x0a01_0200), 24n);
    expect(prefixes.get(key(32, 0x0a01_0203))).toBe(24n);
    expect(prefixes.get(key(32, 0x0a09_0909))).toBe(8n);
    expect([...prefixes].map(([, value]) => value).toSorted()).toEqual([24n, 8n]);
  });
});

describePrivileged("per-CPU maps", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test("the sum is what the program counted, wherever it ran", () => {
    countMarks(
      bpf,
      Array.from({ length: 50 }, () => 1),
    );
    const totals = bpf.map("totals");
    expect(totals.sum(0)?.packets).toBe(50n);
    expect(totals.perCpu(0)).toHaveLength(totals.cpus);
    const packets = totals.perCpu(0)?.reduce((sum, value) => sum + value.packets, 0n);
    expect(packets).toBe(50n);
    expect(totals.sum(1)).toEqual({ packets: 0n, bytes: 0n });
    expect(totals.sum(4)).toBeUndefined();
    expect([...totals.sums()].map(([key]) => key)).toEqual([0, 1, 2, 3]);
  });

  test("fill clears, set wants a value for every CPU", () => {
    countMarks(bpf, [1, 1]);
    const totals = bpf.map("totals");
    totals.fill(0, { packets: 0n, bytes: 0n });
    expect(totals.sum(0)).toEqual({ packets: 0n, bytes: 0n });
    totals.set(
      2,
      Array.from({ length: totals.cpus }, (_, cpu) => ({ packets: BigInt(cpu + 1), bytes: 0n })),
    );
    expect(totals.perCpu(2)?.map((value) => value.packets)).toEqual(
      Array.from({ length: totals.cpus }, (_, cpu) => BigInt(cpu + 1)),
    );
    expect(() => totals.set(2, [])).toThrow(/totals: 0 values for \d+ CPUs/);
  });

  test("a hash is drained into sums", () => {
    const map = bpf.map("by_key");
    for (let key = 0; key < 200; key++) map.fill(key, BigInt(key));
    const expected = Array.from({ length: 200 }, (_, key) => BigInt(key * map.cpus));
    const drained = new Map(map.drain({ batch: 16 }));
    expect(Array.from({ length: 200 }, (_, key) => drained.get(key))).toEqual(expected);
    expect([...map.entries()]).toEqual([]);
    expect(map.delete(1)).toBe(false);
  });
});

describePrivileged("a map of maps", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test("a swap hands out the old map with everything in it, once", () => {
    const tables = bpf.map("tables");
    const program = bpf.program("features_swap");
    program.testRun({ dataSizeOut: 0 });
    expect(bpf.data.get("runs")).toBe(0n); // an empty slot counts nothing
    expect(tables.swap(0, tables.createInner())).toBeUndefined();
    let read = 0n;
    for (let round = 1n; round <= 20n; round++) {
      program.testRun({ repeat: 1000, dataSizeOut: 0 });
      const old = tables.swap(0, tables.createInner());
      for (const [key, value] of old?.drain() ?? []) {
        expect(key).toBe(0);
        expect(value.bytes).toBe(value.packets * BigInt(PACKET_BYTES));
        read += value.packets;
      }
      old?.close();
      expect(read).toBe(round * 1000n);
    }
    expect(bpf.data.get("runs")).toBe(read);
  });

  test("an inner map may be larger than compiled, and lives as long as it is used", () => {
    const tables = bpf.map("tables");
    const inner = tables.createInner({ maxEntries: 500 });
    for (let key = 0; key < 500; key++) inner.set(key, ONE);
    tables.set(1, inner);
    expect(tables.get(1)).toBe(inner);
    expect(tables.get(0)).toBeUndefined();
    const taken = tables.take(1);
    expect(taken).toBe(inner);
    expect(tables.get(1)).toBeUndefined();
    expect([...inner]).toHaveLength(500);
    inner.close();
    inner.close();
    expect(codeOf(() => inner.get(1))).toBe("BPF_CLOSED");
    expect(codeOf(() => tables.set(1, inner))).toBe("BPF_CLOSED");
  });

  test("set closes what it replaces, and the object what is installed", () => {
    const tables = bpf.map("tables");
    const [first, second] = [tables.createInner(), tables.createInner()];
    tables.set(0, first);
    tables.set(0, second);
    tables.set(0, second);
    expect(codeOf(() => first.get(1))).toBe("BPF_CLOSED");
    expect(second.get(1)).toBeUndefined();
    bpf.close();
    expect(codeOf(() => second.get(1))).toBe("BPF_CLOSED");
  });

  test("a slot beyond the end is refused", () => {
    const tables = bpf.map("tables");
    using inner = tables.createInner();
    expect(codeOf(() => tables.set(2, inner))).not.toBe("none");
  });
});
