import {
  type BpfError,
  type BpfLink,
  type BpfProgram,
  type Direction,
  type Order,
  programName,
  removeStaleTc,
  tcFiltersBefore,
  tcxPrograms,
} from "@waymark/bpf-runtime";
import { announcedName, announceProgram } from "./announced-programs.ts";
import { HARMLESS_PROGRAMS, TAKING_PROGRAMS } from "./own-programs.ts";

/** Of a program's name the kernel keeps so much. */
const KERNEL_NAME_LENGTH = 15;

/** Where a program hangs. */
export interface Place {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly hook: "tcx" | "clsact";
  readonly order: Order;
  /** Names of programs, besides Waymark's harmless ones, that may run in front of this one. */
  readonly tolerated?: readonly string[];
}

/**
 * A program on an interface that stays in its place: whoever attaches in front of it later, with a verdict that ends the
 * chain, would hide packets from it.
 */
export class Attachment implements Disposable {
  readonly #program: BpfProgram;
  readonly #place: Place;
  readonly #announcement: Disposable;
  #link: BpfLink;

  /** Attaches; what a killed process of the same program left there is removed. */
  constructor(program: BpfProgram, place: Place) {
    this.#program = program;
    this.#place = place;
    if (place.hook === "clsact") removeStaleTc({ ...place, programName: program.name });
    this.#announcement = announceProgram(program.info().id, program.name.slice(0, KERNEL_NAME_LENGTH));
    try {
      this.#link = this.#attach();
    } catch (error) {
      this.#announcement[Symbol.dispose]();
      throw error;
    }
  }

  /** How the program hangs there. */
  get kind(): BpfLink["kind"] {
    return this.#link.kind;
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
    const place = programs.indexOf(this.#program.info().id);
    const others = order === "first" ? programs.slice(0, place) : programs.slice(place + 1);
    const harmless = this.#harmless();
    if (place >= 0 && others.every((id) => isHarmless(id, harmless))) return false;
    this.#reattach();
    return true;
  }

  #filtersBefore(): number {
    const { ifindex, direction } = this.#place;
    const priority = this.#link.priority ?? 0;
    return tcFiltersBefore({ ifindex, direction, priority, harmless: this.#harmless() });
  }

  #harmless(): ReadonlySet<string> {
    const { tolerated } = this.#place;
    return tolerated ? new Set([...HARMLESS_PROGRAMS, ...tolerated]) : HARMLESS_PROGRAMS;
  }

  /** The kernel takes a program once only, so there is a moment without it; packets were hidden before already. */
  #reattach(): void {
    this.#link.close();
    this.#link = this.#attach();
  }

  #attach(): BpfLink {
    return this.#program.attachTc({ ...this.#place, order: this.#orderNow() });
  }

  /** Who takes packets away lets Waymark's other programs see them before, if nobody else is there to hide them. */
  #orderNow(): Order {
    const { ifindex, direction, hook, order } = this.#place;
    if (hook === "clsact" || !TAKING_PROGRAMS.has(this.#program.name)) return order;
    const ours = new Set([...HARMLESS_PROGRAMS, ...TAKING_PROGRAMS]);
    const isOurs = (id: number) => isHarmless(id, ours);
    return tcxPrograms(ifindex, direction).every(isOurs) ? "last" : order;
  }

  [Symbol.dispose](): void {
    this.#link.close();
    this.#announcement[Symbol.dispose]();
  }
}

/** A program that has just gone is in nobody's way, either. */
function isHarmless(id: number, harmless: ReadonlySet<string>): boolean {
  const name = nameOf(id);
  return name === undefined || harmless.has(name);
}

/** By the kernel, or, where it does not tell us, by the agent that the program belongs to. "" is a stranger's. */
function nameOf(id: number): string | undefined {
  try {
    return programName(id);
  } catch (error) {
    if ((error as BpfError).code !== "BPF_NOT_PERMITTED") throw error;
    return announcedName(id) ?? "";
  }
}
