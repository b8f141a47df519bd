import type { SkbInput } from "@waymark/bpf-runtime";
import { buildPacket, type ParsedPacket, parsePacket, transportChecksum } from "@waymark/packet";
import { hmacState } from "../src/codec/hmac-state.ts";
import { encodeSenderPacket } from "../src/codec/sender-packet.ts";
import {
  ANY_SSID,
  loadReflector,
  type ReflectorKernelConfig,
  type ReflectorObject,
  reflectorCounters,
  setKeys,
  setOwnAddresses,
} from "../src/reflector-programs.ts";

/** Verdicts: on to the next program, away, out of the interface. */
export const [PASS, DROP, REDIRECT] = [-1, 2, 7];
export const KEY = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
export const MARK = 0x57a3_0001;
export const [SENDER4, REFLECTOR4] = ["192.0.2.1", "192.0.2.2"];
export const [SENDER6, REFLECTOR6] = ["2001:db8::1", "2001:db8::2"];
export const [SENDER_PORT, PORT] = [40_000, 862];
/** Of the loopback device, whose packets a test run's are: only they are for this host. */
const OUR_MAC = "00:00:00:00:00:00";

/** A request to build. */
export interface RequestSpec {
  readonly payload: Uint8Array;
  readonly family?: 4 | 6;
  readonly source?: string;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly destination?: string;
  readonly mac?: string;
  readonly tos?: number;
  readonly hops?: number;
  readonly vlans?: readonly { readonly protocol?: number; readonly id: number }[];
  readonly options?: Uint8Array;
  readonly extensions?: NonNullable<Parameters<typeof buildPacket>[0]["ipv6"]>["extensions"];
  readonly checksum?: number;
}

/** An unauthenticated base packet; T1 is 1. */
export function openRequest(sequence = 7, ssid = 0x1234): Uint8Array {
  return encodeSenderPacket("unauthenticated", { sequence, timestamp: 1n, errorEstimate: 0x9501, ssid });
}

/** A frame with a request. */
export function requestFrame(spec: RequestSpec): Uint8Array {
  const { payload, family = 4, tos = 0, hops = 64, checksum } = spec;
  const ethernet = { destination: spec.mac ?? OUR_MAC, ...(spec.vlans && { vlans: spec.vlans }) };
  const transport = {
    kind: "udp",
    sourcePort: spec.sourcePort ?? SENDER_PORT,
    destinationPort: spec.port ?? PORT,
    payload,
    ...(checksum !== undefined && { checksum }),
  } as const;
  if (family === 4) {
    const [source, destination] = [spec.source ?? SENDER4, spec.destination ?? REFLECTOR4];
    const ipv4 = { source, destination, tos, ttl: hops, ...(spec.options && { options: spec.options }) };
    return buildPacket({ ethernet, ipv4, transport });
  }
  const [source, destination] = [spec.source ?? SENDER6, spec.destination ?? REFLECTOR6];
  const ipv6 = { source, destination, trafficClass: tos, hopLimit: hops };
  return buildPacket({
    ethernet,
    ipv6: { ...ipv6, ...(spec.extensions && { extensions: spec.extensions }) },
    transport,
  });
}

/** Headers of a frame. @throws Error if it cannot be parsed */
export function parsed(frame: Uint8Array): ParsedPacket {
  const packet = parsePacket(frame, { link: "ethernet" });
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

/** The UDP payload of a frame. */
export function payloadOf(frame: Uint8Array): Uint8Array {
  const { l4Offset } = parsed(frame);
  const length = new DataView(frame.buffer, frame.byteOffset).getUint16(l4Offset + 4);
  return frame.subarray(l4Offset + 8, l4Offset + length);
}

/** 0 if the UDP checksum is right. */
export function udpChecksum(frame: Uint8Array): number {
  const { source, destination, l4Offset, l2Length, l3Length } = parsed(frame);
  return transportChecksum(source, destination, 17, frame.subarray(l4Offset, l2Length + l3Length));
}

/** A reflector's programs, loaded but not attached. */
export class ReflectorRig implements Disposable {
  readonly object: ReflectorObject;

  constructor(config: Partial<ReflectorKernelConfig> = {}) {
    this.object = loadReflector({
      l2Length: 14,
      ifindex: 1,
      port: PORT,
      authenticated: false,
      stateful: false,
      sessions: 16,
      allowed: [],
      ratePerSecond: 0,
      viaStack: false,
      leased: false,
      format: "ntp",
      dscp: undefined,
      copyEcn: false,
      observe: false,
      mark: MARK,
      cookie: 0n,
      ...config,
    });
    setOwnAddresses(this.object, [REFLECTOR4, REFLECTOR6]);
    setKeys(this.object, new Map([[ANY_SSID, hmacState(KEY)]]));
    this.object.data.set({ stamp_wire_offset_ns: 2_208_988_800_000_000_000n, stamp_error_estimate: 0x0195n });
  }

  /** What ingress does with a frame. */
  ingress(frame: Uint8Array, ctx: SkbInput = {}) {
    return this.object.program("stamp_reflect").testRun({ data: frame, ctx });
  }

  /** A request as it leaves after ingress and egress. */
  reflect(frame: Uint8Array): Uint8Array {
    const turned = this.ingress(frame);
    expect([turned.retval, turned.ctx?.mark]).toEqual([REDIRECT, MARK]);
    const left = this.object.program("stamp_answer").testRun({ data: turned.data, ctx: { mark: MARK } });
    expect([left.retval, left.ctx?.mark]).toEqual([PASS, 0]);
    return left.data;
  }

  /** The counters that are not zero. */
  counters(): Record<string, bigint> {
    return Object.fromEntries(Object.entries(reflectorCounters(this.object)).filter(([, count]) => count > 0n));
  }

  [Symbol.dispose](): void {
    this.object.close();
  }
}
