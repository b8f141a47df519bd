import type { SentDatagrams } from "./datagrams.ts";
import type { Namespace } from "./namespace.ts";
import { nativeProgram } from "./native.ts";

/** How many frames to send. */
export interface FrameOptions {
  /** Exactly so many are sent, over all frames given. */
  readonly count: number;
  /** Frames a second; absent: as fast as it goes. */
  readonly rate?: number;
}

/**
 * Sends Ethernet frames as they are (14 to 2048 octets each, at most 1024 different ones), in turn, from an interface: for
 * what no socket makes, such as VLAN tags without a VLAN device. They pass the interface's egress programs.
 * @throws {CommandError} no such interface, or a frame that it does not take
 */
export async function sendFrames(
  ns: Namespace,
  device: string,
  frames: readonly Uint8Array[],
  options: FrameOptions,
): Promise<SentDatagrams> {
  const words = [`count=${options.count}`, `rate=${options.rate ?? 0}`];
  const input = frames.map((frame) => `${Buffer.from(frame).toString("hex")}\n`).join("");
  const { stdout } = await ns.exec([await nativeProgram("frames"), device, ...words], { input });
  return JSON.parse(stdout) as SentDatagrams;
}
