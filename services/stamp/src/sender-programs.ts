import { BpfObject } from "@waymark/bpf-runtime";
import { parseAddress } from "@waymark/packet";
import { StampSenderCount, stampSenderSpec } from "../bpf/stamp_sender.gen.ts";
import type { TimeFormat } from "./codec/time-stamp.ts";

/** What the sender's programs are told before they are loaded. */
export interface SenderKernelConfig {
  /** Octets before the IP header. */
  readonly l2Length: number;
  /** Ours, of all sessions. */
  readonly port: number;
  readonly ssid: number;
  readonly authenticated: boolean;
  /** The filters may outlive their process. */
  readonly leased: boolean;
  readonly format: TimeFormat;
  /** 0: as the socket says. */
  readonly dscp: number;
  /** User space wants the answers' TLVs. */
  readonly tlvs: boolean;
  /** Stands for T1 in packets of this process; 64 bits. */
  readonly cookie: bigint;
  readonly sessions: number;
  /** Packets of a session that may be under way: a power of two. */
  readonly window: number;
}

/** The loaded programs of a sender. */
export type SenderObject = BpfObject<typeof stampSenderSpec>;

/** Loads the programs; they are not attached. @throws BpfError */
export function loadSender(config: SenderKernelConfig): SenderObject {
  using open = BpfObject.open(stampSenderSpec);
  open.rodata.set({
    config: {
      cookie: config.cookie,
      l2_length: config.l2Length,
      window: config.window,
      ssid: config.ssid,
      port: config.port,
      authenticated: config.authenticated ? 1 : 0,
      leased: config.leased ? 1 : 0,
      ptp: config.format === "ptp" ? 1 : 0,
      dscp: config.dscp,
      tlvs: config.tlvs ? 1 : 0,
    },
  });
  open.map("pending").setMaxEntries(config.sessions * config.window);
  return open.load();
}

/** Says which session the packets to and from a target belong to. @throws RangeError for what is no address */
export function addTarget(
  object: SenderObject,
  session: number,
  target: { readonly address: string; readonly port: number; readonly localPort: number },
): void {
  const remote = parseAddress(target.address);
  if (!remote) throw new RangeError(`"${target.address}" is no address`);
  object.map("targets").set({ remote, remote_port: target.port, local_port: target.localPort }, session);
}

/** What became of the packets, by reason. */
export function senderCounters(object: SenderObject): Record<string, bigint> {
  const counts = object.map("counts");
  return Object.fromEntries(
    Object.entries(StampSenderCount).flatMap(([name, index]) =>
      name === "STAMP_SENDER_COUNTS" ? [] : [[name.slice("STAMP_".length).toLowerCase(), counts.sum(index) ?? 0n]],
    ),
  );
}
