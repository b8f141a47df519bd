/** STAMP modes (RFC 8762 section 4): authenticated packets carry an HMAC over their base part. */
export type Mode = "unauthenticated" | "authenticated";

/** Octets of the base packet of each mode, in both directions. TLVs follow. */
export const BASE_LENGTH: Readonly<Record<Mode, number>> = { unauthenticated: 44, authenticated: 112 };

/** The shortest request that is answered: TWAMP Light's sequence number, time stamp and Error Estimate (RFC 5357 section 4.1.2). */
export const SHORTEST_REQUEST = 14;

/** Octets of the longest UDP payload over IPv4. */
export const LONGEST_PACKET = 65_507;

/** UDP port of both ends unless told otherwise (RFC 8762 section 4.1). */
export const STAMP_PORT = 862;
