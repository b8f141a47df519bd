/** Value of a Class of Service TLV (RFC 8972 section 4.4). */
export interface ClassOfService {
  /** DSCP1, 0–63: what the sender wants the answer to carry. */
  readonly wantedDscp: number;
  /** DSCP2, 0–63: as the request arrived at the reflector. */
  readonly receivedDscp: number;
  /** 0–3: as the request arrived at the reflector. */
  readonly receivedEcn: number;
  /** RP is not 0: the answer does not carry DSCP1 but DSCP2. */
  readonly reversePathRefused: boolean;
}

/** The four octets of the value; the reserved bits are zero. */
export function encodeClassOfService(cos: ClassOfService): Uint8Array {
  const { wantedDscp, receivedDscp, receivedEcn, reversePathRefused } = cos;
  const word =
    ((wantedDscp & 0x3f) << 10) |
    ((receivedDscp & 0x3f) << 4) |
    ((receivedEcn & 3) << 2) |
    (reversePathRefused ? 1 : 0);
  return Uint8Array.of(word >> 8, word & 0xff, 0, 0);
}

/** Reads the value. Octets that are missing count as zero. */
export function decodeClassOfService(value: Uint8Array): ClassOfService {
  const word = ((value[0] ?? 0) << 8) | (value[1] ?? 0);
  return {
    wantedDscp: word >> 10,
    receivedDscp: (word >> 4) & 0x3f,
    receivedEcn: (word >> 2) & 3,
    reversePathRefused: (word & 3) !== 0,
  };
}
