import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { formatAddress, parseCidr, protocolName } from "@waymark/packet";
import type { AddressRange } from "../store/conditions.ts";
import type { SessionFilter } from "../store/delay-query.ts";
import type { FlowFilter } from "../store/flow-filter.ts";
import { END_OF_TIME_NS } from "../store/loss-query.ts";
import { nsOf } from "./messages.ts";

// Of a filter: longer than any name.
const MAX_FILTER_LENGTH = 256;
const MAX_16_BITS = 0xffff;
const MAX_8_BITS = 0xff;
const NS_PER_S = 1_000_000_000n;

/** A range of time, in nanoseconds since the Unix epoch. */
export interface TimeRange {
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

interface TimeRequest {
  readonly startTime?: Timestamp | undefined;
  readonly endTime?: Timestamp | undefined;
}

/** What requests about flows have in common. */
export interface FlowRequest extends TimeRequest {
  readonly agent: string;
  readonly interface: string;
  readonly address: string;
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  readonly port: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: string;
}

/** What requests about STAMP sessions have in common. */
export interface SessionRequest extends TimeRequest {
  readonly agent: string;
  readonly interface: string;
  readonly address: string;
  readonly senderAddress: string;
  readonly reflectorAddress: string;
  readonly port: number;
  readonly ssid: number;
}

/** @throws ConnectError InvalidArgument when a text is longer than any name */
export function checkFilters(...texts: readonly string[]): void {
  for (const text of texts) {
    if (text.length > MAX_FILTER_LENGTH) throw invalid(`a filter is longer than ${MAX_FILTER_LENGTH} characters`);
  }
}

/** @throws ConnectError InvalidArgument when it ends before it begins */
export function timeRange({ startTime, endTime }: TimeRequest): TimeRange {
  const fromNs = startTime === undefined ? 0n : nsOf(startTime);
  const toNs = endTime === undefined ? END_OF_TIME_NS : nsOf(endTime);
  if (fromNs > toNs) throw invalid("start_time is after end_time");
  return { fromNs: clamp(fromNs), toNs: clamp(toNs) };
}

/** @throws ConnectError InvalidArgument with the first filter that is none */
export function flowFilter(request: FlowRequest): FlowFilter {
  const { agent, interface: name } = request;
  checkFilters(agent, name);
  return {
    agent,
    interface: name,
    address: addressRange("address", request.address),
    sourceAddress: addressRange("source_address", request.sourceAddress),
    destinationAddress: addressRange("destination_address", request.destinationAddress),
    port: checkPort("port", request.port),
    sourcePort: checkPort("source_port", request.sourcePort),
    destinationPort: checkPort("destination_port", request.destinationPort),
    protocol: protocolNumber(request.protocol),
    ...timeRange(request),
  };
}

/** @throws ConnectError InvalidArgument with the first filter that is none */
export function sessionFilter(request: SessionRequest): SessionFilter {
  const { agent, interface: name } = request;
  checkFilters(agent, name);
  return {
    agent,
    interface: name,
    address: addressRange("address", request.address),
    senderAddress: addressRange("sender_address", request.senderAddress),
    reflectorAddress: addressRange("reflector_address", request.reflectorAddress),
    port: checkPort("port", request.port),
    ssid: checkPort("ssid", request.ssid),
    ...timeRange(request),
  };
}

/**
 * The length of windows of time, in nanoseconds; 0 when none are asked for.
 *
 * @throws ConnectError InvalidArgument when it is negative or zero
 */
export function stepOf(step: Duration | undefined): bigint {
  if (step === undefined) return 0n;
  const ns = step.seconds * NS_PER_S + BigInt(step.nanos);
  if (ns <= 0n || ns > END_OF_TIME_NS) throw invalid("step is not longer than nothing and at most 292 years");
  return ns;
}

/** The addresses of an address or CIDR; undefined for an empty text. */
function addressRange(name: string, text: string): AddressRange | undefined {
  if (text === "") return undefined;
  checkFilters(text);
  const result = parseCidr(text);
  if (!result.ok) throw invalid(`${name}: ${result.reason}`);
  const { address, prefixLength, family } = result.cidr;
  const bits = family === 4 ? 96 + prefixLength : prefixLength;
  const high = address.map((octet, index) => octet | (0xff >> Math.min(8, Math.max(0, bits - 8 * index))));
  return { family, low: storedText(address), high: storedText(high) };
}

function storedText(address: Uint8Array): string {
  const text = formatAddress(address);
  return text.includes(":") ? text : `::ffff:${text}`;
}

function checkPort(name: string, port: number): number {
  if (port > MAX_16_BITS) throw invalid(`${name} ${port} is more than ${MAX_16_BITS}`);
  return port;
}

function protocolNumber(text: string): number | undefined {
  if (text === "") return undefined;
  checkFilters(text);
  if (/^\d{1,3}$/.test(text) && Number(text) <= MAX_8_BITS) return Number(text);
  const number = PROTOCOLS.get(text.toLowerCase());
  if (number === undefined) throw invalid(`protocol "${text}" is neither 0 to 255 nor one of the known names`);
  return number;
}

const PROTOCOLS = new Map(Array.from({ length: MAX_8_BITS + 1 }, (_, number) => [protocolName(number), number]));

function clamp(ns: bigint): bigint {
  return ns < 0n ? 0n : ns > END_OF_TIME_NS ? END_OF_TIME_NS : ns;
}

function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
