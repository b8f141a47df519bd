import type { DataRecord } from "./data-record.ts";
import { OctetWriter } from "./octet-writer.ts";
import { templateSet } from "./template.ts";

/** Octets of a message's header (RFC 7011 section 3.1). */
const HEADER = 16;
const SET_HEADER = 4;
const VERSION = 10;

/** What a message says of itself. */
export interface MessageOptions {
  /** Unix time in seconds. */
  readonly exportTimeS: number;
  /** Data records of this session before this message. */
  readonly sequence: number;
  readonly observationDomain: number;
  /** Tell the templates in front of the data. */
  readonly withTemplates: boolean;
  /** Octets at the most. */
  readonly maxBytes: number;
}

/** A message with as many of the records as find room, in their order, and how many those are. */
export function buildMessage(
  records: readonly DataRecord[],
  options: MessageOptions,
): { readonly octets: Uint8Array; readonly count: number } {
  const templates = options.withTemplates ? templateSet() : new Uint8Array(0);
  const body = new OctetWriter().bytes(templates);
  let room = options.maxBytes - HEADER - templates.length;
  let count = 0;
  while (count < records.length) {
    const run = sameTemplate(records, count, room - SET_HEADER);
    const [first] = run;
    if (first === undefined) break;
    const length = run.reduce((sum, { octets }) => sum + octets.length, SET_HEADER);
    body.u16(first.template.id).u16(length);
    for (const { octets } of run) body.bytes(octets);
    room -= length;
    count += run.length;
  }
  const sets = body.octets();
  const octets = new OctetWriter()
    .u16(VERSION)
    .u16(HEADER + sets.length)
    .u32(options.exportTimeS)
    .u32(options.sequence >>> 0)
    .u32(options.observationDomain)
    .bytes(sets)
    .octets();
  return { octets, count };
}

/** The records from `from` on that have one template and fit into `room` octets. */
function sameTemplate(records: readonly DataRecord[], from: number, room: number): readonly DataRecord[] {
  const id = records[from]?.template.id;
  let left = room;
  let to = from;
  for (let record = records[to]; record?.template.id === id && record !== undefined; record = records[++to]) {
    left -= record.octets.length;
    if (left < 0) break;
  }
  return records.slice(from, to);
}
