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
  owner?: Member | undefined;
  /** The last owner's end, while nobody has taken over. */
  vacancy?: Vacancy | undefined;
}

/** A flow that owned its family has ended. */
interface Vacancy {
  readonly owner: Member;
  /** Its last packet. */
  readonly lastNs: number;
  /** It ended because nothing came any more, not because the connection or the agent ended. */
  readonly idle: boolean;
}

/** Who saw a packet so much later than the owner's last one saw packets of its own: a reading, and any way between. */
const HANDOVER_NS = 1e9;

/**
 * Finds flows that several interfaces of the host see (forwarded, bridged, behind a VLAN device): whoever saw the first
 * packet first owns the flow until it ends; the others are duplicates. If one of them goes on then (the route has
 * changed), it takes over.
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

  /** A flow has ended, whose last packet came at `lastNs`; `idle`: because nothing came any more. */
  leave(id: FlowId, device: string, lastNs: number, idle: boolean): void {
    const tuple = tupleId(id);
    const family = tuple === undefined ? undefined : this.#families.get(tuple);
    if (tuple === undefined || !family) return;
    const at = family.members.findIndex((member) => isSame(member, id, device));
    if (at >= 0) family.members.splice(at, 1);
    if (family.owner && isSame(family.owner, id, device)) {
      family.vacancy = { owner: family.owner, lastNs, idle };
      family.owner = undefined;
    }
    if (family.members.length === 0) this.#families.delete(tuple);
  }

  /**
   * Does another interface count this flow? Final for flows that began before `readNs`, when the last reading of all
   * interfaces began: only then have all of them told that they see it.
   *
   * @param lastNs the flow's last packet
   */
  isDuplicate(id: FlowId, device: string, readNs: number, lastNs: number): boolean {
    const tuple = tupleId(id);
    const family = tuple === undefined ? undefined : this.#families.get(tuple);
    if (!family) return false;
    const owner = family.owner ?? nextOwner(family, id, device, lastNs);
    if (!owner) return true;
    if (owner.startNs < readNs) {
      family.owner = owner;
      family.vacancy = undefined;
    }
    return !isSame(owner, id, device);
  }
}

/** Who owns a family without an owner; undefined: nobody saw more than the last one did, as far as is known. */
function nextOwner({ members, vacancy }: Family, id: FlowId, device: string, lastNs: number): Member | undefined {
  if (!vacancy) return first(members);
  const { owner, idle } = vacancy;
  const back = members.find((member) => isSame(member, owner.id, owner.device));
  if (back) return back;
  const since = (ns: number) => first(members.filter(({ startNs }) => startNs > ns));
  const goesOn = idle && lastNs > vacancy.lastNs + HANDOVER_NS;
  if (!goesOn) return since(vacancy.lastNs + HANDOVER_NS);
  // Who began after the owner's end has counted nothing that the owner counted, too.
  return since(vacancy.lastNs) ?? members.find((member) => isSame(member, id, device));
}

function isSame(member: Member, id: FlowId, device: string): boolean {
  return member.id === id && member.device === device;
}

function first(members: readonly Member[]): Member | undefined {
  let best = members[0];
  for (const member of members) if (best && member.startNs < best.startNs) best = member;
  return best;
}
