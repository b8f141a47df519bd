import { buildPacket, ETHER_TYPE, type EthernetSpec } from "@waymark/packet";
import { describePrivileged, exec, RouterLedger, sendFrames } from "@waymark/testkit";
import { BridgedPath, type Tagging } from "./src/bridged-path.ts";
import { Suite } from "./src/suite.ts";
import { expectCompleteBetween, expectTrue } from "./src/truth.ts";

const SECONDS = 7;
const RATE = 2000;
/** Odd, so that each of the eight frames is lost in turn. */
const LOSE_EVERY = 49;
const BLOCKS = 4;
const DEADLINE_MS = 60_000;

const customer = { protocol: ETHER_TYPE.vlan, id: 7 };
const vlans: Record<Tagging, EthernetSpec["vlans"]> = {
  "802.1Q": [customer],
  QinQ: [{ protocol: ETHER_TYPE.qinq, id: 9, priority: 5 }, customer],
};

/** UDP in IPv4 and IPv6, several ports, with these tags; ECN-capable ones among them. */
function frames({ sender, sink }: BridgedPath, tagging: Tagging): Uint8Array[] {
  const ethernet = { source: sender.mac, destination: sink.mac, vlans: vlans[tagging] ?? [] };
  return [0, 1, 2, 3].flatMap((flow) => {
    const transport = {
      kind: "udp",
      sourcePort: 4000 + flow,
      destinationPort: 5000,
      payload: new Uint8Array(64 * (flow + 1)),
    } as const;
    const ecn = flow & 1 ? 2 : 0;
    return [
      buildPacket({ ethernet, ipv4: { source: "10.77.0.1", destination: "10.77.0.2", tos: ecn }, transport }),
      buildPacket({ ethernet, ipv6: { source: "fd77::1", destination: "fd77::2", trafficClass: ecn }, transport }),
    ];
  });
}

const scenarios = (["802.1Q", "QinQ"] as const).flatMap((tagging) =>
  (["source", "sender"] as const).map((from) => ({
    tagging,
    from,
    name:
      from === "source" ? "with the tag within, sent by the source host" : "with the tag beside, passing through it",
  })),
);

const { code: noBridge } = await exec(["unshare", "--net", "ip", "link", "add", "type", "bridge"], {
  allowFailure: true,
});

describePrivileged(
  "loss of VLAN-tagged frames equals the bridge's own drop counter",
  { tools: ["nft"], unless: () => (noBridge === 0 ? undefined : "no bridge devices") },
  () => {
    test.each(scenarios)(
      "$tagging frames $name",
      async ({ tagging, from }) => {
        const path = await BridgedPath.create();
        await using suite = await Suite.startOn(path);
        await path.lose(LOSE_EVERY, tagging);
        await using ledger = RouterLedger.start(path, suite.intervalNs);
        const { ns, device } = path[from];
        const { sent } = await sendFrames(ns, device, frames(path, tagging), { count: RATE * SECONDS, rate: RATE });
        const last = [...ledger.blocks.keys()].at(-1) ?? 0n;
        await suite.settled(last, DEADLINE_MS);
        const blocks = await suite.blocks();
        expectCompleteBetween(blocks);
        const judged = expectTrue(blocks, ledger);
        expect(judged.blocks).toBeGreaterThanOrEqual(BLOCKS);
        expect(judged.dropped).toBeGreaterThan(0n);
        const all = BigInt(sent);
        expect(await path.left()).toEqual(
          from === "source" ? { within: all, beside: 0n } : { within: 0n, beside: all },
        );
        const dropped = [...(await path.counters())].filter(([name]) => name.startsWith("dropped"));
        const lost = dropped.reduce((sum, [, counter]) => sum + counter.packets, 0n);
        expect(await path.arrived()).toEqual({ marked: 0n, clean: all - lost });
      },
      120_000,
    );
  },
);
