/** Flags of a STAMP TLV (RFC 8972 section 4). The other bits are zero when sent and ignored when received. */
export const TLV_FLAG = { unrecognized: 0x80, malformed: 0x40, integrity: 0x20 } as const;

/** Octets of flags, type and length. */
export const TLV_HEADER_LENGTH = 4;

/** Types of TLVs (RFC 8972 section 5.1, RFC 9503 section 6). */
export const TLV_TYPE = {
  extraPadding: 1,
  location: 2,
  timestampInformation: 3,
  classOfService: 4,
  directMeasurement: 5,
  accessReport: 6,
  followUpTelemetry: 7,
  hmac: 8,
  destinationAddress: 9,
  returnPath: 10,
} as const;

/** A TLV where it stands; its octets are those of the packet, not a copy. */
export interface Tlv {
  /** Where its flags are, from the beginning of what was read. */
  readonly at: number;
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/** TLVs one after another. */
export interface TlvChain {
  /** The whole ones, in order. */
  readonly tlvs: readonly Tlv[];
  /** Where the first begins that does not fit into what is left; undefined if all do. */
  readonly brokenAt: number | undefined;
}

/** Reads TLVs, or sub-TLVs, whatever their flags and types are. */
export function readTlvs(octets: Uint8Array): TlvChain {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const tlvs: Tlv[] = [];
  let at = 0;
  while (at < octets.length) {
    if (at + TLV_HEADER_LENGTH > octets.length) return { tlvs, brokenAt: at };
    const end = at + TLV_HEADER_LENGTH + view.getUint16(at + 2);
    if (end > octets.length) return { tlvs, brokenAt: at };
    const value = octets.subarray(at + TLV_HEADER_LENGTH, end);
    tlvs.push({ at, flags: view.getUint8(at), type: view.getUint8(at + 1), value });
    at = end;
  }
  return { tlvs, brokenAt: undefined };
}

/** The octets of a TLV. @throws RangeError a value of more than 65 535 octets */
export function writeTlv(flags: number, type: number, value: Uint8Array): Uint8Array {
  if (value.length > 0xffff) throw new RangeError(`TLV of ${value.length} octets`);
  const octets = new Uint8Array(TLV_HEADER_LENGTH + value.length);
  octets.set([flags, type, value.length >> 8, value.length & 0xff]);
  octets.set(value, TLV_HEADER_LENGTH);
  return octets;
}

/** Is the TLV's length one that its type allows? Types that are not known have any length. */
export function hasValidLength(tlv: Tlv): boolean {
  const { length } = tlv.value;
  if (tlv.type >= 252 && tlv.type <= 254) return length >= 4; // private use: begins with an enterprise number
  switch (tlv.type) {
    case TLV_TYPE.location:
    case TLV_TYPE.timestampInformation:
      return length >= 4;
    case TLV_TYPE.classOfService:
    case TLV_TYPE.accessReport:
      return length === 4;
    case TLV_TYPE.directMeasurement:
      return length === 12;
    case TLV_TYPE.followUpTelemetry:
    case TLV_TYPE.hmac:
      return length === 16;
    case TLV_TYPE.destinationAddress:
      return length === 4 || length === 16;
    default:
      return true;
  }
}
