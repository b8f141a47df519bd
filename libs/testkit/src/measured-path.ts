import { CONTROL_DEVICE, type ControlHost, linkCollector } from "./control-host.ts";
import { LossyRouter } from "./lossy-router.ts";
import type { Namespace } from "./namespace.ts";
import { NetLab } from "./net-lab.ts";
import { type Offloads, REAL_SEGMENTS } from "./offloads.ts";
import { waitUntilReady } from "./ready.ts";
import { Wire, type WireOptions } from "./wire.ts";

/** A host at one end of the measured path. */
export interface PathHost {
  readonly ns: Namespace;
  /** The measured interface. */
  readonly device: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** The interface towards the collector, which reports take. */
  readonly controlDevice: string;
}

/** How to build a path. */
export interface PathOptions {
  /**
   * Put a namespace on either side of the router whose wire carries real segments, so that the router counts what a
   * wire would while the hosts keep their offloads (default true, on bare IP false; three hops instead of one).
   */
  readonly realSegments?: boolean;
  /** Offloads of the measured interface at the source; the kernel's defaults otherwise. */
  readonly sourceOffloads?: Offloads;
  /** Offloads of the measured interface at the sink. */
  readonly sinkOffloads?: Offloads;
  /** MTU of all links of the path (default 1500). */
  readonly mtu?: number;
  /** All links of the path carry bare IP packets, without Ethernet: TUN devices (default false; no offloads). */
  readonly layer3?: boolean;
  /** Replace the link behind the router by a wire with delay, jitter, reordering, … */
  readonly wire?: WireOptions;
  /** Hosts ("source", "sink", "collector") that live where these processes do, such as containers; namespaces otherwise. */
  readonly processes?: Readonly<Record<string, number>>;
}

const MEASURED_DEVICE = "eth0";
/**
 * Most that a TCP receiver of the path lets be on the way: about 180 segments. A veth's receiver drops beyond 1000 waiting
 * packets (256 with GRO), behind the router's back, and a namespace cannot enlarge that.
 */
const RECEIVE_BUFFER_BYTES = 262_144;
/** Room for whole windows where a link holds back its sender (GRO at the receiver, Linux 6.16). */
const QUEUE_PACKETS = 10_000;

/**
 * `source — router — sink`, and a collector with a control link to each end:
 * reports cross neither the measured interfaces nor the router.
 */
export class MeasuredPath implements AsyncDisposable {
  readonly lab: NetLab;
  readonly source: PathHost;
  readonly sink: PathHost;
  readonly collector: ControlHost;
  readonly router: LossyRouter;
  /** The wire behind the router, if there is one. */
  readonly wire: Wire | undefined;
  readonly #links: readonly PathLinkEnd[];
  #strayBefore = 0n;

  private constructor(parts: PathParts) {
    this.lab = parts.lab;
    this.source = parts.source;
    this.sink = parts.sink;
    this.collector = parts.collector;
    this.router = parts.router;
    this.wire = parts.wire;
    this.#links = parts.links;
  }

  /** Builds the namespaces and waits until all links are up and all addresses usable. @throws {CommandError} */
  static async create(options: PathOptions = {}): Promise<MeasuredPath> {
    const lab = await NetLab.create(options.processes);
    try {
      return await MeasuredPath.#build(lab, options);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #build(lab: NetLab, options: PathOptions): Promise<MeasuredPath> {
    const mtu = options.mtu ?? 1500;
    const layer3 = options.layer3 ?? false;
    const real = options.realSegments ?? !layer3;
    const labels = real ? ["source", "entry", "router", "exit", "sink"] : ["source", "router", "sink"];
    const chain: Namespace[] = [];
    for (const label of labels) chain.push(await lab.namespace(label));
    const [source, sink] = [chain[0] as Namespace, chain.at(-1) as Namespace];
    const router = chain[real ? 2 : 1] as Namespace;
    const links: PathLinkEnd[] = [];
    let wire: Wire | undefined;

    // link i joins chain[i].right to chain[i + 1].left; the hosts' own ends are both called eth0
    for (let i = 0; i + 1 < chain.length; i++) {
      const [left, right] = [chain[i] as Namespace, chain[i + 1] as Namespace];
      const leftDevice = left === source ? MEASURED_DEVICE : "right";
      const rightDevice = right === sink ? MEASURED_DEVICE : "left";
      const ends = [
        {
          ns: left,
          device: leftDevice,
          addresses: addresses(i, 1),
          mtu,
          ...offloadsOf(left, source, options.sourceOffloads, real),
        },
        {
          ns: right,
          device: rightDevice,
          addresses: addresses(i, 2),
          mtu,
          ...offloadsOf(right, sink, options.sinkOffloads, real),
        },
      ] as const;
      if (left === router && options.wire !== undefined) {
        wire = await Wire.start(lab, ends[0], ends[1], { ...options.wire, layer3 });
      } else if (layer3) {
        await Wire.start(lab, ends[0], ends[1], { layer3 });
      } else {
        await lab.link(...ends);
      }
      for (const { ns, device } of ends) links.push({ ns, device });
    }
    for (const host of [source, sink]) {
      await host.sysctl({ "net.ipv4.tcp_rmem": `4096 65536 ${RECEIVE_BUFFER_BYTES}` });
    }
    const towards = [
      [options.sourceOffloads, links[1]],
      [options.sinkOffloads, links.at(-2)],
    ] as const;
    for (const [offloads, neighbour] of towards) {
      if (offloads?.gro && neighbour) await queueTowards(neighbour);
    }
    for (const [i, ns] of chain.entries()) {
      const routes: string[] = [];
      for (let link = 0; link + 1 < chain.length; link++) {
        if (link === i || link === i - 1) continue;
        const next = link >= i ? [i, 2] : [i - 1, 1];
        routes.push(`route add ${network4(link)} via ${address4(next[0] as number, next[1] as number)}`);
        routes.push(`route add ${network6(link)} via ${address6(next[0] as number, next[1] as number)}`);
      }
      await ns.ip(...routes);
      if (ns !== source && ns !== sink) {
        await ns.sysctl({ "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 });
      }
    }
    const collector = await linkCollector(lab, [source, sink]);
    const path = new MeasuredPath({
      lab,
      source: {
        ns: source,
        device: MEASURED_DEVICE,
        ipv4: address4(0, 1),
        ipv6: address6(0, 1),
        controlDevice: CONTROL_DEVICE,
      },
      sink: {
        ns: sink,
        device: MEASURED_DEVICE,
        ipv4: address4(chain.length - 2, 2),
        ipv6: address6(chain.length - 2, 2),
        controlDevice: CONTROL_DEVICE,
      },
      collector,
      router: new LossyRouter(router, { forward: "right", reverse: "left" }),
      wire,
      links,
    });
    await path.router.apply([]);
    for (const ns of lab.namespaces) await waitUntilReady(ns);
    path.#strayBefore = await path.#dropped();
    return path;
  }

  /**
   * Packets that the path's links lost by themselves since it was built, because a receiver's queue was full: real loss
   * that no rule of the router made. A test that compares with the router alone needs 0.
   */
  async strayDrops(): Promise<bigint> {
    return (await this.#dropped()) - this.#strayBefore;
  }

  async #dropped(): Promise<bigint> {
    // a veth counts what its peer's queue refused as dropped by itself
    const counts = await Promise.all(this.#links.map(({ ns, device }) => ns.statistics(device)));
    return counts.reduce((sum, count) => sum + count.txDropped, 0n);
  }

  /** Ends all processes of the path and deletes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** One end of one of the path's links. */
interface PathLinkEnd {
  readonly ns: Namespace;
  readonly device: string;
}

type PathParts = Pick<MeasuredPath, "lab" | "source" | "sink" | "collector" | "router" | "wire"> & {
  readonly links: readonly PathLinkEnd[];
};

/** A queue in front of a host with GRO: its ring of 256 then holds back the sender instead of dropping. */
async function queueTowards({ ns, device }: PathLinkEnd): Promise<void> {
  await ns.exec(["tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", String(QUEUE_PACKETS)]);
}

function offloadsOf(
  ns: Namespace,
  host: Namespace,
  wanted: Offloads | undefined,
  real: boolean,
): { offloads?: Offloads } {
  if (ns === host) return wanted === undefined ? {} : { offloads: wanted };
  return real ? { offloads: REAL_SEGMENTS } : {};
}

const network4 = (link: number) => `10.77.${link}.0/24`;
const network6 = (link: number) => `fd77:0:0:${link}::/64`;
const address4 = (link: number, end: number) => `10.77.${link}.${end}`;
const address6 = (link: number, end: number) => `fd77:0:0:${link}::${end}`;
const addresses = (link: number, end: number) => [`${address4(link, end)}/24`, `${address6(link, end)}/64`];
