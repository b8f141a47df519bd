import { native } from "./native.ts";

/** Side of an interface: packets that come in, or go out. */
export type Direction = "ingress" | "egress";

/** Before or after other programs at the same place. */
export type Order = "first" | "last";

/** How a program is attached. */
export type LinkKind = "tcx" | "clsact" | "xdp-native" | "xdp-generic";

/** What there is to know about an attachment. */
export interface LinkDetails {
  readonly kind: LinkKind;
  readonly ifindex: number;
  /** clsact only: its priority; lower ones classify before it. */
  readonly priority?: number;
  /** clsact only: filters of others that classify before it and can end classification. */
  readonly precededBy?: number;
}

// A clsact filter outlives its process. `process.exit` runs no destructors, so it is removed here.
const filters = new Set<BpfLink>();

function removeFilters(): void {
  for (const link of [...filters]) link.close();
}

/** A program attached to an interface. Closing it detaches; so does the death of the process, except for clsact. */
export class BpfLink implements LinkDetails {
  readonly kind: LinkKind;
  readonly ifindex: number;
  readonly priority?: number;
  readonly precededBy?: number;
  readonly #id: number;
  readonly #onClose: (link: BpfLink) => void;
  #closed = false;

  /** Not for users: links come from {@link BpfProgram}. */
  constructor(id: number, details: LinkDetails, onClose: (link: BpfLink) => void) {
    this.#id = id;
    this.#onClose = onClose;
    this.kind = details.kind;
    this.ifindex = details.ifindex;
    if (details.priority !== undefined) this.priority = details.priority;
    if (details.precededBy !== undefined) this.precededBy = details.precededBy;
    if (this.kind !== "clsact") return;
    if (filters.size === 0) process.on("exit", removeFilters);
    filters.add(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Detaches. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native().linkClose(this.#id);
    if (filters.delete(this) && filters.size === 0) process.off("exit", removeFilters);
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
