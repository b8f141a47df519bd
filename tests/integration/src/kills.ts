import type { LossBlock } from "@waymark/proto/query";
import { waitFor } from "@waymark/testkit";
import { isComplete } from "./loss-api.ts";

/** What can be killed. */
export const victims = ["nats", "collector", "source", "sink"] as const;

/** See {@link victims}. */
export type Victim = (typeof victims)[number];

/** A running suite whose parts can be killed one by one. */
export interface Killable {
  readonly intervalNs: bigint;
  /** SIGKILL; returns when it has ended. */
  kill(victim: Victim): Promise<void>;
  /** Starts it again; returns when it works. */
  revive(victim: Victim): Promise<void>;
}

/** What was killed in which block, and the block in which it worked again. */
export interface Kill {
  readonly victim: Victim;
  readonly killed: bigint;
  readonly back: bigint;
}

/**
 * Kills these one after the other, each at its moment within a block, and starts it again; two whole blocks of rest after
 * each, so that what each kill does can be told apart.
 *
 * @param perMille how far into a block the next kill is, 0 to 999
 */
export async function killAll(suite: Killable, who: readonly Victim[], perMille: () => number): Promise<Kill[]> {
  const kills: Kill[] = [];
  for (const victim of who) {
    await moment(suite, BigInt(perMille()));
    const killed = openBlock(suite);
    await suite.kill(victim);
    await suite.revive(victim);
    kills.push({ victim, killed, back: openBlock(suite) });
    await moment(suite, 0n, 4n);
  }
  return kills;
}

/** The number of the block that is open now. */
export function openBlock({ intervalNs }: Pick<Killable, "intervalNs">): bigint {
  return (BigInt(Date.now()) * 1_000_000n) / intervalNs;
}

/** Waits for the moment `perMille` of the way into the block `ahead` from now. */
async function moment(suite: Killable, perMille: bigint, ahead = 1n): Promise<void> {
  const at = (openBlock(suite) + ahead) * suite.intervalNs + (suite.intervalNs * perMille) / 1000n;
  await waitFor(() => BigInt(Date.now()) * 1_000_000n >= at, { deadlineMs: 20_000, what: "moment" });
}

/** Blocks that an agent's restart touched are not COMPLETE; two blocks after it they are. Others' restarts touch none. */
export function expectTouched(kill: Kill, kills: readonly Kill[], blocks: readonly LossBlock[]): void {
  const completeIn = (number: bigint) => blocks.some((block) => block.blockNumber === number && isComplete(block));
  const isAgent = kill.victim === "source" || kill.victim === "sink";
  if (isAgent) {
    for (let touched = kill.killed; touched === kill.killed || touched < kill.back; touched++) {
      expect({ kill, touched, complete: completeIn(touched) }).toEqual({ kill, touched, complete: false });
    }
  }
  const others = kills.filter((other) => other !== kill);
  const next = kill.back + 2n;
  if (others.some((other) => next >= other.killed - 1n && next <= other.back + 1n)) return;
  expect({ kill, next, complete: completeIn(next) }).toEqual({ kill, next, complete: true });
}
