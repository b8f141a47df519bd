import type { Publisher, TargetStats } from "../src/index.ts";

/** An altmark source on a made-up host. */
export const identity = {
  id: "host-a",
  service: "altmark",
  role: "source",
  interface: "eth0",
  host: "host-a.example",
  version: "0.1.0",
} as const;

/** Publishes loss reports; block numbers go up with every call. */
export function publishBlocks(publisher: Publisher, count: number, paddingBytes = 0): void {
  for (let i = 0; i < count; i++) {
    const path = "p".repeat(paddingBytes) || "default";
    publisher.publish({ case: "loss", value: { blocks: [{ path, blockNumber: BigInt(i) }] } });
  }
}

/** The state of the only target. */
export function only(publisher: Publisher): TargetStats {
  const [stats, ...others] = publisher.stats().targets;
  if (stats === undefined || others.length > 0) throw new Error("not exactly one target");
  return stats;
}
