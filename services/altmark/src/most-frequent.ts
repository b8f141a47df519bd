import { formatAddress } from "@waymark/packet";

/** Addresses that are named at the most. */
const NAMED = 5;

/** The addresses that are there most often, the most frequent first; the zero address stands for none. */
export function mostFrequent(addresses: readonly Uint8Array[]): string[] {
  const counts = new Map<string, number>();
  for (const address of addresses) {
    if (address.every((octet) => octet === 0)) continue;
    const text = formatAddress(address);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, NAMED)
    .map(([text]) => text);
}
