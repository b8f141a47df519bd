// @kernels
import { fileURLToPath } from "node:url";
import {
  describePrivileged,
  ledgerRules,
  type ManagedProcess,
  MeasuredPath,
  RouterLedger,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/altmark.js", import.meta.url));
const INTERVAL_S = 2;
const SECONDS = 12;
const RATE = 200;
const DEADLINE_MS = 120_000;
const PORT = 5001;

interface Line {
  readonly block_number: number;
  readonly flows: readonly { readonly packets: number; readonly fragments: number; readonly out_of_guard: number }[];
}

/** Packets by block number, over all flows. */
function byBlock(agent: ManagedProcess): Map<bigint, bigint> {
  const lines = agent.stdout.map((line) => JSON.parse(line) as Line);
  return new Map(
    lines.map(({ block_number, flows }) => [
      BigInt(block_number),
      BigInt(flows.reduce((sum, flow) => sum + flow.packets, 0)),
    ]),
  );
}

describePrivileged("both ends by themselves, on this kernel", { tools: ["nft"] }, () => {
  test("their difference is the router's own counter in every whole block: IPv4, IPv6, fragments", async () => {
    await using path = await MeasuredPath.create();
    await path.router.apply(ledgerRules([{ name: "drop", select: { every: 10 }, action: "drop" }]));
    const start = async (role: "source" | "sink") => {
      const argv = [process.execPath, BIN, role, path[role].device, "-i", String(INTERVAL_S), "--format", "jsonl"];
      const agent = path[role].ns.spawn(argv);
      await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      return agent;
    };
    const [sink, source] = [await start("sink"), await start("source")];
    await using ledger = RouterLedger.start(path.router, BigInt(INTERVAL_S) * 1_000_000_000n);
    const common = { port: PORT, rate: RATE, deadlineMs: DEADLINE_MS };
    await Promise.all([
      sendDatagrams(path.source.ns, { ...common, to: path.sink.ipv4, count: RATE * SECONDS }),
      sendDatagrams(path.source.ns, { ...common, to: path.sink.ipv6, count: RATE * SECONDS }),
      sendDatagrams(path.source.ns, {
        ...common,
        to: path.sink.ipv4,
        count: 20 * SECONDS,
        rate: 20,
        size: 4000,
        mayFragment: true,
      }),
    ]);
    const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
    await waitFor(() => byBlock(source).has(last) && byBlock(sink).has(last), {
      deadlineMs: DEADLINE_MS,
      what: "the last block",
    });
    const [sent, received] = [byBlock(source), byBlock(sink)];
    const judged = [...ledger.blocks].filter(([, truth]) => truth.seen > 0n);
    expect(judged.length).toBeGreaterThanOrEqual(3);
    for (const [block, truth] of judged) {
      expect([block, sent.get(block), received.get(block)]).toEqual([block, truth.seen, truth.seen - truth.dropped]);
    }
    expect(judged.some(([, truth]) => truth.dropped > 0n)).toBe(true);
  }, 300_000);
});
