import type { Namespace } from "./namespace.ts";

/** A named nft counter. Bytes are L3 bytes in a forward chain, frame bytes at netdev egress. */
export interface Counter {
  readonly packets: bigint;
  readonly bytes: bigint;
}

interface NftObject {
  readonly counter?: { readonly name: string; readonly packets: number; readonly bytes: number };
}

/** All named counters of a namespace. @throws {CommandError} nft fails; @throws {Error} the answer is not as expected */
export async function readCounters(ns: Namespace): Promise<Map<string, Counter>> {
  const { stdout } = await ns.exec(["nft", "-j", "list", "counters"]);
  const answer = JSON.parse(stdout) as { readonly nftables?: readonly NftObject[] };
  if (!Array.isArray(answer.nftables)) throw new Error("nft: unexpected answer");
  const counters = new Map<string, Counter>();
  for (const { counter } of answer.nftables as readonly NftObject[]) {
    if (counter === undefined) continue;
    if (!Number.isSafeInteger(counter.packets) || !Number.isSafeInteger(counter.bytes)) {
      throw new Error(`nft: counter ${counter.name} is beyond 2^53`);
    }
    counters.set(counter.name, { packets: BigInt(counter.packets), bytes: BigInt(counter.bytes) });
  }
  return counters;
}
