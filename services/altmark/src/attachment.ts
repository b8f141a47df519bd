import {
  type BpfLink,
  type BpfProgram,
  type Direction,
  type Order,
  removeStaleTc,
  tcFiltersBefore,
  tcxPrograms,
} from "@waymark/bpf-runtime";

/** Where a program hangs. */
export interface Place {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly hook: "tcx" | "clsact";
  readonly order: Order;
}

/**
 * A program on an interface that stays in its place: whoever attaches in front of it later, with a verdict that ends the
 * chain, would hide packets from it.
 */
export class Attachment implements Disposable {
  readonly #program: BpfProgram;
  readonly #place: Place;
  #link: BpfLink;

  /** Attaches; what a killed process of the same program left there is removed. */
  constructor(program: BpfProgram, place: Place) {
    this.#program = program;
    this.#place = place;
    if (place.hook === "clsact") removeStaleTc({ ...place, programName: program.name });
    this.#link = program.attachTc(place);
  }

  /**
   * Looks whether a stranger's program runs where it can hide packets from ours, and goes back to its place where it can:
   * true if so. Without TCX a filter of a lower priority stays in front until it is gone, and each look says true. Who asked
   * to be last has accepted that.
   */
  keepPlace(): boolean {
    const { ifindex, direction, hook, order } = this.#place;
    if (hook === "clsact") {
      if (order === "last" || this.#filtersBefore() === 0) return false;
      this.#reattach();
      return true;
    }
    const programs = tcxPrograms(ifindex, direction);
    if (programs.at(order === "first" ? 0 : -1) === this.#program.info().id) return false;
    this.#reattach();
    return true;
  }

  #filtersBefore(): number {
    const { ifindex, direction } = this.#place;
    return tcFiltersBefore({ ifindex, direction, priority: this.#link.priority ?? 0 });
  }

  /** The kernel takes a program once only, so there is a moment without it; packets were hidden before already. */
  #reattach(): void {
    this.#link.close();
    this.#link = this.#program.attachTc(this.#place);
  }

  [Symbol.dispose](): void {
    this.#link.close();
  }
}
