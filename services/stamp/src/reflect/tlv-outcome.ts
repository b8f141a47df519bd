/** What became of the TLVs of a request. */
export interface TlvOutcome {
  /** Done what they ask for. */
  understood: number;
  /** Of unknown type, or asking for what is not done here: sent back with U. */
  unrecognized: number;
  /** The first that is broken, sent back with M; no more after it were looked at. */
  malformed: number;
  /** Sent back with I, because their HMAC is wrong or missing. */
  integrityFailed: number;
}

/** Nothing so far. */
export function noTlvs(): TlvOutcome {
  return { understood: 0, unrecognized: 0, malformed: 0, integrityFailed: 0 };
}
