import {
  type ControlHost,
  linkCollector,
  type Namespace,
  NetLab,
  readCounters,
  waitUntilReady,
} from "@waymark/testkit";
import type { SuitePath } from "./suite.ts";

/** How frames are tagged between the hosts: one 802.1Q tag, or an 802.1ad one around it. */
export type Tagging = "802.1Q" | "QinQ";

/** An end of the path: a host or the port of one that bridges. */
interface BridgedHost {
  readonly ns: Namespace;
  readonly device: string;
  readonly mac: string;
}

const SENDER_MAC = "02:00:00:00:00:01";
const SINK_MAC = "02:00:00:00:00:02";
/** The tags are taken in and out by others, so the links are wide enough. */
const MTU = 1600;
/** DSCP of the two colours. */
const DSCP = [2, 3] as const;

/**
 * `sender — source — middle — sink` of Ethernet bridges: frames arrive as they were sent, tags included. The source is a
 * bridge too, so that a frame may either begin there or pass through. The middle loses and counts.
 */
export class BridgedPath implements SuitePath {
  readonly lab: NetLab;
  /** Sends frames through the source: the kernel then holds their outer tag beside the packet. */
  readonly sender: BridgedHost;
  /** Frames sent from here carry their tags within. */
  readonly source: BridgedHost;
  readonly sink: BridgedHost;
  readonly collector: ControlHost;
  readonly #middle: Namespace;

  private constructor(lab: NetLab, hosts: readonly Namespace[], collector: ControlHost) {
    const [sender, source, middle, sink] = hosts as [Namespace, Namespace, Namespace, Namespace];
    this.lab = lab;
    this.sender = { ns: sender, device: "eth0", mac: SENDER_MAC };
    this.source = { ns: source, device: "eth0", mac: SENDER_MAC };
    this.sink = { ns: sink, device: "eth0", mac: SINK_MAC };
    this.#middle = middle;
    this.collector = collector;
  }

  /** Builds the network and waits until its links are up. @throws {CommandError} no bridges in this kernel */
  static async create(): Promise<BridgedPath> {
    const lab = await NetLab.create();
    try {
      const hosts: Namespace[] = [];
      for (const label of ["sender", "source", "middle", "sink"]) hosts.push(await lab.namespace(label));
      const [sender, source, middle, sink] = hosts as [Namespace, Namespace, Namespace, Namespace];
      await lab.link(
        { ns: sender, device: "eth0", mac: SENDER_MAC, mtu: MTU },
        { ns: source, device: "left", mtu: MTU },
      );
      await lab.link({ ns: source, device: "eth0", mtu: MTU }, { ns: middle, device: "left", mtu: MTU });
      await lab.link({ ns: middle, device: "right", mtu: MTU }, { ns: sink, device: "eth0", mac: SINK_MAC, mtu: MTU });
      await bridge(source, ["left", "eth0"]);
      await bridge(middle, ["left", "right"]);
      const collector = await linkCollector(lab, [source, sink]);
      for (const ns of lab.namespaces) await waitUntilReady(ns);
      return new BridgedPath(lab, hosts, collector);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * From now on the middle loses every `every`-th marked frame towards the sink and counts what RouterLedger reads; the
   * source counts where its frames carry their outer tag, and the sink, behind altmark, which are marked and which clean.
   */
  async lose(every: number, tagging: Tagging): Promise<void> {
    const count = (of: readonly number[], verdict: string) =>
      of.flatMap((dscp) => dscpMatches(tagging, dscp).map((match) => `${match} ${verdict}`));
    const counters = (names: readonly string[]) => names.map((name) => `  counter ${name} { }`);
    await this.#middle.nft(
      [
        "table bridge waymark {",
        ...counters(["seen0", "seen1", "dropped0", "dropped1"]),
        "  chain lose {",
        ...DSCP.flatMap((dscp, i) => count([dscp], `counter name dropped${i} drop`)),
        "  }",
        "  chain forward {",
        "    type filter hook forward priority 0; policy accept;",
        `    oifname "right" ether daddr != ${this.sink.mac} accept`,
        '    oifname != "right" accept',
        ...DSCP.flatMap((dscp, i) => count([dscp], `counter name seen${i}`)),
        ...count(DSCP, "meta mark set 1"),
        `    meta mark 1 numgen inc mod ${every} 0 jump lose`,
        "  }",
        "}",
      ].join("\n"),
    );
    const [within, beside] = tagging === "802.1Q" ? ["0x8100", "{ 0x0800, 0x86dd }"] : ["0x88a8", "0x8100"];
    await this.source.ns.nft(
      [
        "table netdev waymark {",
        ...counters(["within", "beside"]),
        "  chain leave {",
        `    type filter hook egress device "${this.source.device}" priority 0; policy accept;`,
        `    ether daddr ${this.sink.mac} meta protocol ${within} counter name within`,
        `    ether daddr ${this.sink.mac} meta protocol ${beside} counter name beside`,
        "  }",
        "}",
      ].join("\n"),
    );
    await this.sink.ns.nft(
      [
        "table netdev waymark {",
        ...counters(["marked", "clean"]),
        "  chain arrive {",
        `    type filter hook ingress device "${this.sink.device}" priority 0; policy accept;`,
        `    ether daddr != ${this.sink.mac} accept`,
        ...count(DSCP, "counter name marked"),
        ...count([0], "counter name clean"),
        "  }",
        "}",
      ].join("\n"),
    );
  }

  /** Frames that left the source with the outer tag within the packet, and with the tag beside it (offloaded). */
  async left(): Promise<{ readonly within: bigint; readonly beside: bigint }> {
    const counters = await readCounters(this.source.ns);
    const packets = (name: string) => counters.get(name)?.packets ?? 0n;
    return { within: packets("within"), beside: packets("beside") };
  }

  /** What the middle saw and lost, by colour. */
  counters() {
    return readCounters(this.#middle);
  }

  /** Tagged frames that the sink host got from its interface, after altmark. */
  async arrived(): Promise<{ readonly marked: bigint; readonly clean: bigint }> {
    const counters = await readCounters(this.sink.ns);
    const packets = (name: string) => counters.get(name)?.packets ?? 0n;
    return { marked: packets("marked"), clean: packets("clean") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

async function bridge(ns: Namespace, ports: readonly string[]): Promise<void> {
  await ns.ip(
    `link add br0 type bridge mcast_snooping 0`,
    `link set dev br0 mtu ${MTU} up`,
    ...ports.map((port) => `link set dev ${port} master br0`),
  );
}

/**
 * nft's matches of a DSCP in tagged IPv4 and IPv6. The kernel takes the outer tag out of a frame that it receives, so the
 * "network header" begins behind it: with the IP header, or with the inner tag (its EtherType at bit 16, IP at bit 32).
 */
function dscpMatches(tagging: Tagging, dscp: number): string[] {
  if (tagging === "802.1Q") return [`meta protocol ip @nh,8,6 ${dscp}`, `meta protocol ip6 @nh,4,6 ${dscp}`];
  return [`@nh,16,16 0x0800 @nh,40,6 ${dscp}`, `@nh,16,16 0x86dd @nh,36,6 ${dscp}`];
}
