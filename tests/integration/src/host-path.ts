import { interfaceInfo, tcxPrograms } from "@waymark/bpf-runtime";
import { buildPacket } from "@waymark/packet";
import { LossyRouter, NetLab, REAL_SEGMENTS, type SentDatagrams, sendFrames, waitUntilReady } from "@waymark/testkit";

const SOURCE = "198.18.79.1";
const SINK = "198.18.79.6";
const PORT = 5001;

/**
 * Two interfaces of the host itself, and between them a router in a namespace: for agents with host networking. Frames go
 * out by one interface and come in by the other; the host's own addresses and routes have no part in it.
 */
export class HostPath implements AsyncDisposable {
  readonly router: LossyRouter;
  readonly sourceDevice: string;
  readonly sinkDevice: string;
  readonly #lab: NetLab;
  readonly #frame: Uint8Array;

  private constructor(lab: NetLab, router: LossyRouter, devices: readonly [string, string], frame: Uint8Array) {
    this.#lab = lab;
    this.router = router;
    [this.sourceDevice, this.sinkDevice] = devices;
    this.#frame = frame;
  }

  static async create(): Promise<HostPath> {
    const lab = await NetLab.create();
    try {
      const [source, sink] = [`wms${process.pid}`, `wmk${process.pid}`];
      const ns = await lab.namespace("router");
      await lab.link(
        { ns: lab.here, device: source, offloads: REAL_SEGMENTS },
        { ns, device: "left", addresses: ["198.18.79.2/30"], offloads: REAL_SEGMENTS },
      );
      await lab.link(
        { ns: lab.here, device: sink, offloads: REAL_SEGMENTS },
        { ns, device: "right", addresses: ["198.18.79.5/30"], offloads: REAL_SEGMENTS },
      );
      // what arrives here goes no further, whatever the host forwards otherwise
      await lab.here.sysctl({ [`net.ipv4.conf.${sink}.forwarding`]: 0 });
      await ns.sysctl({ "net.ipv4.ip_forward": 1 });
      await ns.ip(`neigh replace ${SINK} lladdr ${await lab.here.macAddress(sink)} dev right`);
      await waitUntilReady(ns);
      const frame = buildPacket({
        ethernet: { source: await lab.here.macAddress(source), destination: await ns.macAddress("left") },
        ipv4: { source: SOURCE, destination: SINK },
        transport: { kind: "udp", sourcePort: PORT, destinationPort: PORT, payload: new Uint8Array(64) },
      });
      return new HostPath(lab, new LossyRouter(ns, { forward: "right", reverse: "left" }), [source, sink], frame);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends from the source's interface. */
  send(rate: number, count: number): Promise<SentDatagrams> {
    return sendFrames(this.#lab.here, this.sourceDevice, [this.#frame], { rate, count });
  }

  /** How many programs are attached to the two interfaces. */
  attached(): number {
    return [this.sourceDevice, this.sinkDevice].flatMap((device) => {
      const { ifindex } = interfaceInfo(device);
      return [...tcxPrograms(ifindex, "ingress"), ...tcxPrograms(ifindex, "egress")];
    }).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }
}
