import { readFile } from "node:fs/promises";
import { PCAP_LINK, parsePacket, readPcap } from "@waymark/packet";
import { Capture } from "@waymark/testkit";
import { decodeReflectorPacket } from "../src/codec/reflector-packet.ts";
import { decodeSenderPacket } from "../src/codec/sender-packet.ts";
import { DEVICE, PORT, type StampPath } from "./stamp-path.ts";

/** Where tcpdump saw the test packets of a run, by sequence number: nanoseconds, the first of each. */
export interface Sightings {
  readonly requests: ReadonlyMap<number, bigint>;
  readonly answers: ReadonlyMap<number, bigint>;
  /** Numbers of the answers in the order in which they came, duplicates too. */
  readonly order: readonly number[];
}

/** tcpdump at both ends of a path: what is sent and what arrives, with time stamps that are not ours. */
export class BothEnds implements AsyncDisposable {
  readonly #near: Capture;
  readonly #far: Capture;

  private constructor(near: Capture, far: Capture) {
    this.#near = near;
    this.#far = far;
  }

  static async start({ lab, near, far }: StampPath): Promise<BothEnds> {
    const filter = `udp port ${PORT}`;
    return new BothEnds(
      await Capture.start(lab, near, DEVICE, { filter }),
      await Capture.start(lab, far, DEVICE, { filter }),
    );
  }

  /** Ends the captures; what was seen at each end. */
  async read(): Promise<{ readonly near: Sightings; readonly far: Sightings }> {
    await this.#near.stop();
    await this.#far.stop();
    return { near: await sightings(this.#near.path), far: await sightings(this.#far.path) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#near[Symbol.asyncDispose]();
    await this.#far[Symbol.asyncDispose]();
  }
}

async function sightings(path: string): Promise<Sightings> {
  const { records, link } = readPcap(await readFile(path)) ?? { records: [], link: undefined };
  if (link !== PCAP_LINK.ethernet) throw new Error(`${path}: link type ${link}`);
  const requests = new Map<number, bigint>();
  const answers = new Map<number, bigint>();
  const order: number[] = [];
  for (const { bytes, timeNs = 0n } of records) {
    const packet = parsePacket(bytes);
    if (!packet.ok || !packet.ports) continue;
    const payload = bytes.subarray(packet.l4Offset + 8, packet.l2Length + packet.l3Length);
    if (packet.ports.destination === PORT) {
      const sequence = decodeSenderPacket("unauthenticated", payload)?.sequence ?? -1;
      if (!requests.has(sequence)) requests.set(sequence, timeNs);
    } else {
      const sequence = decodeReflectorPacket("unauthenticated", payload)?.senderSequence ?? -1;
      order.push(sequence);
      if (!answers.has(sequence)) answers.set(sequence, timeNs);
    }
  }
  return { requests, answers, order };
}
