import { type Address, type Family, familyOf, formatAddress, parseAddress } from "./address.ts";

/** A range of addresses. Bits beyond the prefix are 0. */
export interface Cidr {
  readonly family: Family;
  /** 16 octets; IPv4 as IPv4-mapped. */
  readonly address: Address;
  /** Of the family's own address: 0–32 or 0–128. */
  readonly prefixLength: number;
}

/** A range, or why the text is none. */
export type CidrResult = { readonly ok: true; readonly cidr: Cidr } | { readonly ok: false; readonly reason: string };

/**
 * Reads `address/length`, or an address alone (all its bits). Strict: no leading zeros, no zone, and no bits set beyond
 * the prefix.
 */
export function parseCidr(text: string): CidrResult {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(addressText);
  if (address === undefined) return { ok: false, reason: `"${addressText}" is no IPv4 or IPv6 address` };
  const family = addressText.includes(":") ? 6 : 4;
  const bits = family === 4 ? 32 : 128;
  const lengthText = slash < 0 ? String(bits) : text.slice(slash + 1);
  const prefixLength = Number(lengthText);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || prefixLength > bits) {
    return { ok: false, reason: `"/${lengthText}" is no prefix length from /0 to /${bits}` };
  }
  if (family === 6 && familyOf(address) === 4) {
    return { ok: false, reason: `"${addressText}" is IPv4-mapped; write the IPv4 address` };
  }
  const masked = maskAddress(address, 128 - bits + prefixLength);
  if (masked.some((octet, i) => octet !== address[i])) {
    return {
      ok: false,
      reason: `bits are set beyond /${prefixLength}; did you mean ${formatAddress(masked)}/${prefixLength}?`,
    };
  }
  return { ok: true, cidr: { family, address, prefixLength } };
}

function maskAddress(address: Address, bits: number): Address {
  return address.map((octet, i) => octet & ~(0xff >> Math.min(8, Math.max(0, bits - 8 * i))));
}

/** `address/length`, such that parseCidr gives the same range. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.prefixLength}`;
}

/** Is the address in the range? Never across families. */
export function cidrContains(cidr: Cidr, address: Address): boolean {
  if (address.length !== 16 || familyOf(address) !== cidr.family) return false;
  const masked = maskAddress(address, (cidr.family === 4 ? 96 : 0) + cidr.prefixLength);
  return masked.every((octet, i) => octet === cidr.address[i]);
}
