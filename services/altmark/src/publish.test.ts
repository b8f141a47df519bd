import { create, toBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@waymark/proto/report";
import type { Block } from "./block.ts";
import { lossPayloads } from "./publish.ts";

function block(flows: number): Block {
  return {
    path: "default",
    blockNumber: 5n,
    intervalNs: 10n ** 9n,
    guardNs: 250_000_000n,
    coveredFromNs: 5n * 10n ** 9n,
    coveredToNs: 6n * 10n ** 9n,
    ruleHash: 77n,
    overflowed: false,
    clockStepped: false,
    topDestinations: [],
    unmatchedFragments: 0n,
    flows: Array.from({ length: flows }, (_, i) => ({
      flow: `udp [2001:db8:1234:5678:9abc:def0:1234:${i.toString(16)}]:50000 > [2001:db8::2]:443`,
      packets: 2n ** 64n - 1n,
      l3Bytes: 2n ** 64n - 1n,
      fragments: 2n ** 64n - 1n,
      outOfGuard: 2n ** 64n - 1n,
    })),
  };
}

test("a block without flows is still one report", () => {
  const payloads = lossPayloads(block(0));
  expect(payloads).toHaveLength(1);
});

test("a block of many flows goes in numbered parts below 64 KiB that hold every flow once", () => {
  const payloads = lossPayloads(block(5000));
  const blocks = payloads.flatMap((payload) => (payload.case === "loss" ? (payload.value.blocks ?? []) : []));
  expect(blocks.map((part) => part.part)).toEqual(blocks.map((_, i) => i));
  expect(new Set(blocks.map((part) => part.parts))).toEqual(new Set([blocks.length]));
  expect(blocks.flatMap((part) => (part.flows ?? []).map((flow) => flow.flow))).toEqual(
    block(5000).flows.map((f) => f.flow),
  );
  for (const payload of payloads) {
    const size = toBinary(ReportSchema, create(ReportSchema, { payload })).length;
    expect(size).toBeLessThanOrEqual(60 * 1024);
  }
});
