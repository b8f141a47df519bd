import {
  Capture,
  DatagramReceiver,
  describePrivileged,
  ledgerRules,
  readCapture,
  sendDatagrams,
} from "@waymark/testkit";
import { isComplete, Suite } from "./src/suite.ts";

const PORT = 5001;
const COUNT = 2000;
const RATE = 1000;
const DEADLINE_MS = 60_000;
const EF = 0xb8;
const AF11 = 0x28;
const AF41 = 0x88;
const ECT0 = 0x02;
const ECT1 = 0x01;
const CE = 0x03;

describePrivileged("marking changes nothing else", { tools: ["nft", "tshark", "tcpdump"] }, () => {
  test("ECN, CE from the way, and DSCP of others arrive as they were; what is ECN-capable is measured", async () => {
    await using suite = await Suite.start();
    const { path } = suite;
    await path.router.apply(
      ledgerRules(
        [],
        [
          {
            name: "congested",
            match: { protocol: "udp", family: 4, ecn: ECT0 },
            select: { every: 10 },
            action: "set-ce",
          },
        ],
      ),
    );
    await using receiver = await DatagramReceiver.start(path.sink.ns, PORT);
    await using receiver6 = await DatagramReceiver.start(path.sink.ns, PORT + 1, "::");
    await using capture = await Capture.start(path.lab, path.router.ns, "right", {
      filter: "ip and udp",
      direction: "out",
    });
    for (const tos of [0, ECT0, ECT1, EF, EF | CE, AF11, AF41]) {
      await sendDatagrams(path.source.ns, { to: path.sink.ipv4, port: PORT, count: COUNT, rate: 10 * RATE, tos });
    }
    for (const tos of [0, ECT0, AF41]) {
      await sendDatagrams(path.source.ns, { to: path.sink.ipv6, port: PORT + 1, count: COUNT, rate: 10 * RATE, tos });
    }
    await capture.stopAfter(7 * COUNT, DEADLINE_MS);
    const congested = Number((await path.router.counter("congested")).packets);
    expect(congested).toBe(COUNT / 10);
    const counts = await receiver.counts();
    expect(counts.byTos).toEqual({
      0: COUNT,
      [ECT1]: COUNT,
      [ECT0]: COUNT - congested,
      [CE]: congested,
      [EF]: COUNT,
      [EF | CE]: COUNT,
      [AF11]: COUNT,
      [AF41]: COUNT,
    });
    expect((await receiver6.counts()).byTos).toEqual({ 0: COUNT, [ECT0]: COUNT, [AF41]: COUNT });
    const seen = await readCapture(capture.path, ["ip.checksum.status"]);
    expect(seen.length).toBe(7 * COUNT);
    expect(new Set(seen.map((packet) => packet["ip.checksum.status"]))).toEqual(new Set(["1"]));
    await expectMeasured(suite, BigInt(5 * COUNT), BigInt(5 * COUNT));
  }, 120_000);
});

/** Sent, received and left out, over all blocks. */
async function expectMeasured(suite: Suite, sent: bigint, leftOut: bigint): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  await suite.settled(now / suite.intervalNs, DEADLINE_MS);
  const blocks = await suite.blocks();
  const sum = (field: "sentPackets" | "receivedPackets" | "lostPackets") =>
    blocks.reduce((total, block) => total + (block[field] ?? 0n), 0n);
  expect([sum("sentPackets"), sum("receivedPackets"), sum("lostPackets")]).toEqual([sent, sent, 0n]);
  expect(blocks.some(isComplete)).toBe(true);
  const { agents } = await suite.client.listAgents({ agent: "source" });
  expect(agents[0]?.counters["dscp_in_use"]).toBe(leftOut);
}
