import type { Block } from "./block.ts";
import { addToTotals, jsonLine, textLine } from "./report.ts";

const flow = (name: string, packets: bigint) => ({
  flow: name,
  packets,
  l3Bytes: packets * 100n,
  fragments: 0n,
  outOfGuard: 0n,
});

function block(blockNumber: bigint, ...flows: Block["flows"]): Block {
  return {
    path: "default",
    blockNumber,
    intervalNs: 10_000_000_000n,
    guardNs: 2_500_000_000n,
    coveredFromNs: blockNumber * 10_000_000_000n,
    coveredToNs: (blockNumber + 1n) * 10_000_000_000n,
    ruleHash: 1n,
    overflowed: false,
    clockStepped: false,
    topDestinations: [],
    unmatchedFragments: 0n,
    flows,
  };
}

test("the line of the earlier tool: the block's colour and the packets of both colours since the start", () => {
  let totals = { count0: 0n, count1: 0n };
  totals = addToTotals(totals, block(4n, flow("a", 3n), flow("b", 4n)));
  expect(textLine(block(4n), totals, false)).toBe("color 0 count0 7 count1 0");
  totals = addToTotals(totals, block(5n, flow("a", 5n)));
  expect(textLine(block(5n), totals, false)).toBe("color 1 count0 7 count1 5");
  expect(textLine(block(5n), totals, true)).toBe("color 1 count0 7 count1 5 path=default");
});

test("a JSON line holds every flow, and whole numbers of any size", () => {
  const line = JSON.parse(jsonLine("source", block(160_000_000n, flow("default", 2n ** 60n), flow("b", 0n))));
  expect(line).toMatchObject({ role: "source", path: "default", start_time: "2020-09-13T12:26:40.000Z" });
  expect(line.flows).toEqual([
    {
      flow: "default",
      packets: "1152921504606846976",
      l3_bytes: "115292150460684697600",
      fragments: 0,
      out_of_guard: 0,
    },
    { flow: "b", packets: 0, l3_bytes: 0, fragments: 0, out_of_guard: 0 },
  ]);
});
