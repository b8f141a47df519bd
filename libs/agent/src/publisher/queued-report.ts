/** An encoded report on its way, with what its transport needs to know of it. */
export interface QueuedReport {
  readonly agentId: string;
  readonly service: string;
  readonly bootId: string;
  /** The payload's field name. */
  readonly kind: string;
  /** From 1 per boot and kind. */
  readonly sequence: bigint;
  /** The Report message without `sent_at_ns`. */
  readonly bytes: Uint8Array;
}

/** What duplicates are known by: agent/boot/kind/sequence. */
export function reportId({ agentId, bootId, kind, sequence }: QueuedReport): string {
  return `${agentId}/${bootId}/${kind}/${sequence}`;
}

/** `waymark.v1.<kind>.<agent_id>.<service>` */
export function reportSubject({ kind, agentId, service }: QueuedReport): string {
  return `waymark.v1.${kind}.${agentId}.${service}`;
}

/** Field 5, wire type 1 (64 bits). */
const SENT_AT_TAG = (5 << 3) | 1;
const SENT_AT_LENGTH = 9;

/** The message with `sent_at_ns` added at its end: protobuf takes the fields in any order. */
export function stampReport({ bytes }: QueuedReport, sentAtNs: bigint): Uint8Array {
  const out = new Uint8Array(bytes.length + SENT_AT_LENGTH);
  out.set(bytes);
  out[bytes.length] = SENT_AT_TAG;
  new DataView(out.buffer).setBigUint64(bytes.length + 1, BigInt.asUintN(64, sentAtNs), true);
  return out;
}
