import { type FlowId, tupleId } from "./flow-key.ts";

/** A flow as one interface sees it in one direction. */
interface Member {
  readonly id: FlowId;
  readonly device: string;
  readonly startNs: number;
}

/** The same packets wherever they were seen. */
interface Family {
  readonly members: Member[];
  /** Who counts for all, once that is known for good. */
  owner?: Member;
}

/**
 * Finds flows that several interfaces of the host see (forwarded, bridged, behind a VLAN device): whoever saw the first
 * packet first owns the flow as long as any of them goes on; the others are duplicates.
 */
export class Siblings {
  readonly #families = new Map<string, Family>();

  /** A flow begins. */
  join(id: FlowId, device: string, startNs: number): void {
    const tuple = tupleId(id);
    if (tuple === undefined) return;
    const family = this.#families.get(tuple);
    if (family) family.members.push({ id, device, startNs });
    else this.#families.set(tuple, { members: [{ id, device, startNs }] });
  }

  /** A flow has ended. */
  leave(id: FlowId, device: string): void {
    const tuple = tupleId(id);
    const family = tuple === undefined ? undefined : this.#families.get(tuple);
    if (tuple === undefined || !family) return;
    const at = family.members.findIndex((member) => isSame(member, id, device));
    if (at >= 0) family.members.splice(at, 1);
    if (family.members.length === 0) this.#families.delete(tuple);
  }

  /**
   * Does another interface count this flow? Final for flows that began before `readNs`, when the last reading of all
   * interfaces began: only then have all of them told that they see it.
   */
  isDuplicate(id: FlowId, device: string, readNs: number): boolean {
    const tuple = tupleId(id);
    const family = tuple === undefined ? undefined : this.#families.get(tuple);
    if (!family) return false;
    const owner = family.owner ?? first(family.members);
    if (owner && owner.startNs < readNs) family.owner = owner;
    return owner !== undefined && !isSame(owner, id, device);
  }
}

function isSame(member: Member, id: FlowId, device: string): boolean {
  return member.id === id && member.device === device;
}

function first(members: readonly Member[]): Member | undefined {
  let best = members[0];
  for (const member of members) if (best && member.startNs < best.startNs) best = member;
  return best;
}
