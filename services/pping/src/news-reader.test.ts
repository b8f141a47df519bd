import fc from "fast-check";
import { type PpingEvent, PpingEventType, ppingEvent } from "../bpf/pping.gen.ts";
import { NewsReader } from "./news-reader.ts";

const MAX = 2n ** 52n;
const u64 = fc.bigInt({ min: 0n, max: MAX });
const pair = fc.tuple(u64, u64);
const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const u16 = fc.nat({ max: 65_535 });
const record = fc.record({
  flow_id: u64.filter((id) => id < 2n ** 50n),
  at_ns: u64,
  rtt_ns: u64,
  min_rtt_ns: u64,
  packets: pair,
  l3_bytes: pair,
  payload_bytes: pair,
  source: address,
  destination: address,
  source_port: u16,
  destination_port: u16,
  vlan_id: u16,
  confidence: fc.nat({ max: 1000 }),
  protocol: fc.nat({ max: 255 }),
  type: fc.constantFrom(...Object.values(PpingEventType)),
  method: fc.integer({ min: 1, max: 6 }),
  local: fc.nat({ max: 1 }),
  reason: fc.nat({ max: 6 }),
  triggered_by: fc.nat({ max: 2 }),
  direction: fc.nat({ max: 1 }),
});

function batchOf(records: readonly PpingEvent[]) {
  const view = new DataView(new ArrayBuffer(records.length * ppingEvent.size));
  for (const [i, event] of records.entries()) ppingEvent.encode(view, i * ppingEvent.size, event, "event");
  return { view, count: records.length, recordBytes: ppingEvent.size, [Symbol.iterator]: () => records.values() };
}

test("reads what the generated codec reads", () => {
  fc.assert(
    fc.property(record, u64, (event, offsetNs) => {
      const [news] = new NewsReader(8).read(batchOf([event]), offsetNs);
      expect(news).toMatchObject({
        atNs: event.at_ns + offsetNs,
        flow: { flowId: Number(event.flow_id), sourcePort: event.source_port, source: event.source },
        counts: {
          sentPackets: Number(event.packets[0]),
          receivedPackets: Number(event.packets[1]),
          sentL3Bytes: Number(event.l3_bytes[0]),
          receivedL3Bytes: Number(event.l3_bytes[1]),
          sentPayloadBytes: Number(event.payload_bytes[0]),
          receivedPayloadBytes: Number(event.payload_bytes[1]),
        },
      });
      if (news?.kind === "rtt") {
        expect([news.rttNs, news.minRttNs, news.local, news.confidencePermille]).toEqual([
          Number(event.rtt_ns),
          Number(event.min_rtt_ns),
          event.local === 1,
          event.confidence,
        ]);
      }
    }),
  );
});

test("remembers a flow until it is removed, and never more than twice what the kernel holds", () => {
  const event = (id: number, type: number): PpingEvent => ({
    ...ppingEvent.decode(new DataView(new ArrayBuffer(ppingEvent.size)), 0),
    flow_id: BigInt(id),
    type,
    method: 1,
  });
  const reader = new NewsReader(4);
  const { PPING_EVENT_RTT: rtt, PPING_EVENT_REMOVED: removed } = PpingEventType;
  for (const _ of reader.read(batchOf(Array.from({ length: 100 }, (_, i) => event(i, rtt))), 0n));
  expect(reader.size).toBe(16);
  for (const _ of reader.read(batchOf([event(99, removed)]), 0n));
  expect(reader.size).toBe(15);
});
