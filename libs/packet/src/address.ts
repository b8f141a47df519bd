/**
 * An IP address: 16 octets; IPv4 as the IPv4-mapped `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), as the kernel side keeps it.
 */
export type Address = Uint8Array;

/** IP version. */
export type Family = 4 | 6;

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAX_TEXT = 45;

/** 4 for an IPv4-mapped address, else 6. */
export function familyOf(address: Address): Family {
  return address.length === 16 && MAPPED_PREFIX.every((octet, i) => address[i] === octet) ? 4 : 6;
}

/** The 16-octet form of an IPv4 address. @throws {RangeError} not 4 octets */
export function mapIpv4(octets: ArrayLike<number>): Address {
  if (octets.length !== 4) throw new RangeError(`IPv4 address of ${octets.length} octets`);
  const address = new Uint8Array(16);
  address.set(MAPPED_PREFIX);
  address.set(octets, 12);
  return address;
}

/** Two addresses are the same octets. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/**
 * Text of an address: dotted for 4 octets and IPv4-mapped ones, RFC 5952 otherwise.
 * @throws {RangeError} neither 4 nor 16 octets
 */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  if (address.length !== 16) throw new RangeError(`address of ${address.length} octets`);
  if (familyOf(address) === 4) return address.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0));
  const run = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; ) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
    start = Math.max(end, start + 1);
  }
  return best;
}

/**
 * Reads an address: four decimal parts without leading zeros, or any RFC 4291 form of IPv6 (also `::ffff:1.2.3.4`);
 * no zone, no prefix. Undefined for anything else.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (!text.includes(":")) {
    const octets = parseIpv4(text);
    return octets && mapIpv4(octets);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parts = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  const [head, tail] = parts;
  if (head === undefined || parts.includes(undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? Uint8Array.from(head) : undefined;
  // "::" stands for at least one group
  if (head.length + tail.length > 14) return undefined;
  const address = new Uint8Array(16);
  address.set(head);
  address.set(tail, 16 - tail.length);
  return address;
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const octets = parts.map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

/** The octets of colon-separated groups; the last group of the address may be dotted. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === "") return [];
  const octets: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (mayEndDotted && i === groups.length - 1 && group.includes(".")) {
      const dotted = parseIpv4(group);
      if (dotted === undefined) return undefined;
      octets.push(...dotted);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    }
  }
  return octets.length <= 16 ? octets : undefined;
}
