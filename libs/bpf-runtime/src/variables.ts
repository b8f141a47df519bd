import { type Codec, viewOf } from "./codec.ts";
import { check, closedError } from "./errors.ts";
import { native } from "./native.ts";
import type { VariableSpec, VariablesOf } from "./object-spec.ts";

/** Global variables of an object, by name, typed as in C. */
export class Variables<V extends Readonly<Record<string, VariableSpec>>> {
  readonly #object: number;
  readonly #specs: V;
  readonly #label: string;
  readonly #isClosed: () => boolean;

  /** Not for users: variables come with an object. */
  constructor(object: number, specs: V, label: string, isClosed: () => boolean) {
    this.#object = object;
    this.#specs = specs;
    this.#label = label;
    this.#isClosed = isClosed;
  }

  /** The value now. One of 8 octets is read whole, larger ones may change meanwhile. */
  get<N extends keyof V & string>(name: N): VariablesOf<V>[N] {
    const spec = this.#spec(name, "get variable");
    const buffer = new Uint8Array(spec.codec.size);
    const status = native().sectionRead(this.#object, spec.section, spec.offset, buffer);
    check(status, "get variable", `${this.#label}.${name}`);
    return spec.codec.decode(viewOf(buffer), 0) as VariablesOf<V>[N];
  }

  /** Sets the variables given; the others stay. Nothing is set if one of them does not fit. */
  set(values: Partial<VariablesOf<V>>): void {
    const writes = Object.entries(values).map(([name, value]) => {
      const spec = this.#spec(name, "set variable");
      const buffer = new Uint8Array(spec.codec.size);
      (spec.codec as Codec<unknown>).encode(viewOf(buffer), 0, value, name);
      return { name, spec, buffer };
    });
    for (const { name, spec, buffer } of writes) {
      const status = native().sectionWrite(this.#object, spec.section, spec.offset, buffer);
      check(status, "set variable", `${this.#label}.${name}`);
    }
  }

  #spec(name: string, operation: string): VariableSpec {
    if (this.#isClosed()) throw closedError(operation, `${this.#label}.${name}`);
    const spec = Object.hasOwn(this.#specs, name) ? this.#specs[name] : undefined;
    if (!spec) throw new TypeError(`${this.#label} has no variable ${name}`);
    return spec;
  }
}
