import { buildPacket } from "@waymark/packet";
import type { StampAnswerTlvs, StampEvent } from "../bpf/stamp_sender.gen.ts";
import { hmacState } from "../src/codec/hmac-state.ts";
import { ANY_SSID, setKeys } from "../src/reflector-programs.ts";
import {
  addTarget,
  loadSender,
  type SenderKernelConfig,
  type SenderObject,
  senderCounters,
} from "../src/sender-programs.ts";
import { KEY } from "./reflector-rig.ts";

/** Us, and the reflector. */
export const [LOCAL4, REMOTE4, LOCAL6, REMOTE6] = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
export const [LOCAL_PORT, REMOTE_PORT] = [40_000, 862];
/** In memory order, as user space puts it into packets. */
export const COOKIE = 0x1122_3344_5566_7788n;
export const SSID = 0x1234;

/** A UDP packet between us and a reflector. */
export interface FrameSpec {
  readonly payload: Uint8Array;
  readonly family?: 4 | 6;
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly vlan?: number;
  readonly checksum?: number;
}

function frame(spec: FrameSpec, source: string, destination: string, ports: readonly [number, number]): Uint8Array {
  const { payload, family = 4, vlan, checksum } = spec;
  const ethernet = { destination: "00:00:00:00:00:00", ...(vlan !== undefined && { vlans: [{ id: vlan }] }) };
  const transport = {
    kind: "udp",
    sourcePort: spec.sourcePort ?? ports[0],
    destinationPort: spec.destinationPort ?? ports[1],
    payload,
    ...(checksum !== undefined && { checksum }),
  } as const;
  const ends = { source: spec.source ?? source, destination: spec.destination ?? destination };
  return buildPacket({ ethernet, ...(family === 4 ? { ipv4: ends } : { ipv6: ends }), transport });
}

/** From us to the reflector. */
export function outgoing(spec: FrameSpec): Uint8Array {
  const [from, to] = spec.family === 6 ? [LOCAL6, REMOTE6] : [LOCAL4, REMOTE4];
  return frame(spec, from, to, [LOCAL_PORT, REMOTE_PORT]);
}

/** From the reflector to us. */
export function incoming(spec: FrameSpec): Uint8Array {
  const [to, from] = spec.family === 6 ? [LOCAL6, REMOTE6] : [LOCAL4, REMOTE4];
  return frame(spec, from, to, [REMOTE_PORT, LOCAL_PORT]);
}

/** A sender's programs, loaded but not attached; session 0 is IPv4, session 1 IPv6. */
export class SenderRig implements Disposable {
  readonly object: SenderObject;
  readonly #events;
  readonly #tlvs;

  constructor(config: Partial<SenderKernelConfig> = {}) {
    this.object = loadSender({
      l2Length: 14,
      port: LOCAL_PORT,
      ssid: SSID,
      authenticated: false,
      leased: false,
      format: "ntp",
      dscp: 0,
      tlvs: false,
      cookie: COOKIE,
      sessions: 2,
      window: 16,
      ...config,
    });
    for (const [session, address] of [REMOTE4, REMOTE6].entries()) {
      addTarget(this.object, session, { address, port: REMOTE_PORT, localPort: LOCAL_PORT });
    }
    setKeys(this.object, new Map([[ANY_SSID, hmacState(KEY)]]));
    this.object.data.set({ stamp_wire_offset_ns: 2_208_988_800_000_000_000n });
    this.#events = this.object.ringBuffer("events");
    this.#tlvs = this.object.ringBuffer("answer_tlvs");
  }

  run(program: "stamp_send" | "stamp_collect", data: Uint8Array) {
    return this.object.program(program).testRun({ data });
  }

  events(): StampEvent[] {
    return [...(this.#events.read() ?? [])];
  }

  tlvs(): StampAnswerTlvs[] {
    return [...(this.#tlvs.read() ?? [])];
  }

  /** The counters that are not zero. */
  counters(): Record<string, bigint> {
    return Object.fromEntries(Object.entries(senderCounters(this.object)).filter(([, count]) => count > 0n));
  }

  [Symbol.dispose](): void {
    this.object.close();
  }
}
