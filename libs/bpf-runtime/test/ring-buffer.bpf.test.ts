import type { BpfObject, BpfRingBuffer, RingBatch } from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";
import { type FeaturesSpec, SampleKind, type SampleRecord, sampleRecord } from "./bpf/features.gen.ts";
import { loadFeatures } from "./features.ts";

/** Records that the ring holds: each has a header of 8 octets in the kernel, and one octet always stays free. */
const CAPACITY = Math.floor(4095 / (sampleRecord.size + 8));

let bpf: BpfObject<FeaturesSpec>;

/** Has the program emit `count` records (or count them as dropped). */
function emit(count: number): void {
  bpf.program("features_emit").testRun({ repeat: count, dataSizeOut: 0 });
}

/** Sequence numbers until `count` have come. */
async function collect(ring: BpfRingBuffer<SampleRecord>, count: number): Promise<readonly bigint[]> {
  const seen: bigint[] = [];
  for await (const batch of ring.batches()) {
    for (const record of batch) seen.push(record.sequence);
    if (seen.length >= count) break;
  }
  return seen;
}

function sequence(from: number, count: number): readonly bigint[] {
  return Array.from({ length: count }, (_, index) => BigInt(from + index));
}

describePrivileged("a ring buffer", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test("hands out every record once, in order, decoded", async () => {
    const ring = bpf.ringBuffer("events");
    const seen: SampleRecord[] = [];
    emit(10);
    for await (const batch of ring.batches()) {
      expect(batch.recordBytes).toBe(sampleRecord.size);
      seen.push(...batch);
      if (seen.length < 30) emit(10);
      else break;
    }
    expect(seen.map((record) => record.sequence)).toEqual(sequence(0, 30));
    expect(seen.every((record) => record.kind === SampleKind.SAMPLE_SECOND)).toBe(true);
    expect(ring.stats()).toMatchObject({ records: 30, bytes: 30 * sampleRecord.size, malformed: 0 });
    expect(ring.closed).toBe(true);
  });

  test.each([1, 2, 5, CAPACITY])("loses none when a batch holds only %d", async (records) => {
    const ring = bpf.ringBuffer("events", { batchBytes: records * sampleRecord.size });
    emit(CAPACITY);
    expect(await collect(ring, CAPACITY)).toEqual(sequence(0, CAPACITY));
    expect(ring.stats()).toMatchObject({ records: CAPACITY, batches: Math.ceil(CAPACITY / records) });
  });

  test("records read and records dropped are all records", async () => {
    const ring = bpf.ringBuffer("events");
    const total = 1000;
    emit(total);
    const dropped = bpf.data.get("events_dropped");
    expect(dropped).toBe(BigInt(total - CAPACITY));
    expect(await collect(ring, CAPACITY)).toEqual(sequence(0, CAPACITY));
    expect(bpf.data.get("runs")).toBe(BigInt(CAPACITY));
  });

  test("reads nothing while the consumer is busy: the program counts what finds no room", async () => {
    const ring = bpf.ringBuffer("events");
    let read = 0;
    emit(1);
    for await (const batch of ring.batches()) {
      read += batch.count;
      if (read > CAPACITY) break;
      emit(3 * CAPACITY);
      await new Promise((resolve) => setImmediate(resolve));
      expect(ring.stats().records).toBe(read);
    }
    expect(BigInt(read) + bpf.data.get("events_dropped")).toBe(BigInt(1 + 3 * CAPACITY));
  });

  test("waits without being asked again, and wakes for a record that comes later", async () => {
    const ring = bpf.ringBuffer("events");
    const seen = collect(ring, 2);
    await new Promise((resolve) => setImmediate(resolve));
    emit(1);
    await new Promise((resolve) => setImmediate(resolve));
    emit(1);
    expect(await seen).toEqual([0n, 1n]);
    expect(ring.stats().wakeups).toBeGreaterThanOrEqual(1);
  });

  test("read() takes what is there and does not wait", () => {
    const ring = bpf.ringBuffer("events");
    expect(ring.read()).toBeUndefined();
    emit(3);
    const batch: RingBatch<SampleRecord> | undefined = ring.read();
    expect(Array.from(batch ?? [], (record) => record.sequence)).toEqual([0n, 1n, 2n]);
    expect(ring.read()).toBeUndefined();
  });

  test.each(["abort", "close", "object"] as const)("ends by %s, also while it waits", async (how) => {
    const controller = new AbortController();
    const ring = bpf.ringBuffer("events", { signal: controller.signal });
    const seen = collect(ring, 1000);
    await new Promise((resolve) => setImmediate(resolve));
    if (how === "abort") controller.abort();
    else if (how === "close") ring.close();
    else bpf.close();
    expect(await seen).toEqual([]);
    expect(ring.closed).toBe(true);
    expect(() => ring.read()).toThrow(/events: it is closed/);
    ring.close();
  });

  test("with a signal that was aborted before, gives nothing", async () => {
    emit(1);
    expect(await collect(bpf.ringBuffer("events", { signal: AbortSignal.abort() }), 1)).toEqual([]);
  });

  test("has one consumer", async () => {
    const ring = bpf.ringBuffer("events");
    const first = ring.batches();
    emit(1);
    await first.next();
    await expect(ring.batches().next()).rejects.toThrow(/has a consumer already/);
    await first.return();
  });

  test("what one reader leaves is there for the next", async () => {
    const first = bpf.ringBuffer("events", { batchBytes: 2 * sampleRecord.size });
    emit(5);
    expect(await collect(first, 2)).toEqual([0n, 1n]);
    expect(await collect(bpf.ringBuffer("events"), 3)).toEqual([2n, 3n, 4n]);
  });

  test("needs room for one record", () => {
    expect(() => bpf.ringBuffer("events", { batchBytes: sampleRecord.size - 1 })).toThrow(RangeError);
  });
});
