import type { Address } from "@waymark/packet";
import type { ErrorEstimate } from "../codec/error-estimate.ts";

/** One end of a UDP datagram. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** A request as it arrived at a reflector. */
export interface Request {
  /** The UDP payload. */
  readonly octets: Uint8Array;
  /** T2, nanoseconds since the Unix epoch. */
  readonly receivedNs: bigint;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** 0–63. */
  readonly dscp: number;
  /** 0–3. */
  readonly ecn: number;
  /** 6 octets (or 8 of an EUI-64); undefined where the link has none. */
  readonly sourceMac?: Uint8Array | undefined;
  /** Undefined: the reflector is stateless. */
  readonly session?: ReflectorSession | undefined;
}

/** What a stateful reflector knows of the session. */
export interface ReflectorSession {
  /** The answer's own number. */
  readonly sequence: number;
  /** Requests received, this one included. */
  readonly received: number;
  /** Answers sent, this one included. */
  readonly transmitted: number;
  /** The answer before this one; undefined if there is none, or its time is not known. */
  readonly previous?: EarlierAnswer | undefined;
}

/** An answer that has been sent. */
export interface EarlierAnswer {
  readonly sequence: number;
  /** T3, nanoseconds since the Unix epoch. */
  readonly transmittedNs: bigint;
  /** One of TIMESTAMP_METHOD. */
  readonly method: number;
}

/** The reflector's clock at the moment of an answer. */
export interface ReflectorClock {
  /** T3, nanoseconds since the Unix epoch. */
  readonly transmitNs: bigint;
  /** Of T2 and T3; its format is the one they are written in. */
  readonly errorEstimate: ErrorEstimate;
  /** TAI − UTC in seconds. */
  readonly taiOffsetS: number;
  /** One of SYNC_SOURCE. */
  readonly syncSource: number;
  /** How T2 and T3 are taken: of TIMESTAMP_METHOD. */
  readonly receiveMethod: number;
  readonly transmitMethod: number;
}
