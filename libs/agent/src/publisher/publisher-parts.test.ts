import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@waymark/proto/report";
import fc from "fast-check";
import { CommandError } from "../errors.ts";
import { silentLogger } from "../logger.ts";
import { Backoff } from "./backoff.ts";
import { Fifo } from "./fifo.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { createPublisher, MAX_REPORT_BYTES } from "./publisher.ts";
import type { PublisherOptions } from "./publisher-api.ts";
import { stampReport } from "./queued-report.ts";
import { parseReportTarget } from "./report-target.ts";

const report = (sequence: bigint, bytes: Uint8Array = new Uint8Array(100)) => ({
  agentId: "a",
  service: "s",
  bootId: "b",
  kind: "loss",
  sequence,
  bytes,
});

const options: PublisherOptions = {
  targets: [],
  identity: { id: "a", service: "s", role: "", interface: "eth0", host: "h", version: "1" },
  bootId: "b",
  kernelBootId: "",
  clock: () => ({}),
  nowNs: () => 0n,
  counters: () => ({}),
  logger: silentLogger,
};

test("the time of sending is merged into an encoded report", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.string(), (sentAtNs, bootId) => {
      const encoded = toBinary(ReportSchema, create(ReportSchema, { bootId, payload: { case: "loss", value: {} } }));
      const decoded = fromBinary(ReportSchema, stampReport(report(1n, encoded), sentAtNs));
      expect(decoded).toMatchObject({ sentAtNs, bootId, payload: { case: "loss" } });
    }),
  );
});

test("a fifo gives back what went in, in order", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("shift"), fc.nat()), { maxLength: 5_000 }), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (typeof step === "number") {
          fifo.push(step);
          model.push(step);
        } else {
          expect(fifo.peek()).toBe(model[0]);
          expect(fifo.shift()).toBe(model.shift());
        }
        expect(fifo.length).toBe(model.length);
      }
    }),
    { numRuns: 20 },
  );
  const long = new Fifo<number>();
  for (let i = 0; i < 10_000; i++) long.push(i);
  for (let i = 0; i < 10_000; i++) expect(long.shift()).toBe(i);
});

test("a memory queue keeps the newest, and every report is kept or counted", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3_000 }), { maxLength: 100 }), (sizes) => {
      const queue = new MemoryQueue(10_000);
      let dropped = 0;
      for (const [i, size] of sizes.entries()) dropped += queue.push(report(BigInt(i), new Uint8Array(size)));
      const left: bigint[] = [];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) left.push(next.sequence);
      expect(left).toEqual(sizes.map((_, i) => BigInt(i)).slice(dropped));
    }),
  );
});

test("back-off grows to its limit, with a random part, and starts over after a success", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 12 }, () => backoff.nextMs());
  for (const [i, wait] of waits.entries()) {
    const ceiling = Math.min(100 * 2 ** i, 5_000);
    expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
    expect(wait).toBeLessThanOrEqual(ceiling);
  }
  backoff.reset();
  expect(backoff.nextMs()).toBeLessThanOrEqual(100);
});

test.each([
  ["nats://h", "nats://h:4222"],
  ["nats://10.0.0.1:4333/", "nats://10.0.0.1:4333"],
  ["nats://[::1]", "nats://[::1]:4222"],
  ["grpc://[fe80::1]:12345", "grpc://[fe80::1]:12345"],
])("target %s", (text, url) => {
  expect(parseReportTarget(text).url).toBe(url);
});

test.each(["grpc://h", "h:1", "nats://", "nats://h:0", "nats://h:99999", "nats://u:p@h", "http://h:1", "nats://a b"])(
  "target %s is refused",
  (text) => {
    expect(() => parseReportTarget(text)).toThrow(CommandError);
  },
);

describe("a publisher without targets", () => {
  test("counts and does nothing else", async () => {
    const publisher = createPublisher(options);
    publisher.publish({ case: "loss", value: {} });
    expect(publisher.stats()).toEqual({ published: 1, targets: [] });
    expect(await publisher.flush({ deadlineMs: 1_000 })).toBe(true);
    expect(publisher.localEndpoints()).toEqual([]);
    await publisher.close();
  });
});

test("misuse is refused", async () => {
  expect(() => createPublisher({ ...options, bootId: "a b" })).toThrow(RangeError);
  expect(() => createPublisher({ ...options, identity: { ...options.identity, id: "" } })).toThrow(RangeError);
  expect(() => createPublisher({ ...options, targets: ["http://h"] })).toThrow(CommandError);
  const publisher = createPublisher(options);
  expect(() => publisher.publish({ case: undefined } as never)).toThrow(TypeError);
});

test("a report that is too big, or comes after the end, is dropped and counted", async () => {
  const publisher = createPublisher({ ...options, targets: ["grpc://127.0.0.1:1"] });
  publisher.publish({ case: "loss", value: { blocks: [{ path: "p".repeat(MAX_REPORT_BYTES) }] } });
  await publisher.close();
  publisher.publish({ case: "loss", value: {} });
  await publisher.close();
  expect(publisher.stats().targets).toMatchObject([{ published: 2, dropped: 2, pending: 0 }]);
});
