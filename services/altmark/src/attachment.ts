import {
  type BpfLink,
  type BpfProgram,
  type Direction,
  type Order,
  removeStaleTc,
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

  /** Goes back to its place if somebody took it; true if so. A clsact filter keeps its priority and never needs it. */
  keepPlace(): boolean {
    const { ifindex, direction, hook, order } = this.#place;
    if (hook === "clsact") return false;
    const programs = tcxPrograms(ifindex, direction);
    if (programs.at(order === "first" ? 0 : -1) === this.#program.info().id) return false;
    // The kernel takes a program once only, so there is a moment without it; packets were hidden before already.
    this.#link.close();
    this.#link = this.#program.attachTc(this.#place);
    return true;
  }

  [Symbol.dispose](): void {
    this.#link.close();
  }
}
