import type { SqlParam, SqlParams } from "./store.ts";

/** Addresses of one family from `low` to `high`, both included, as texts of IPv6 or IPv4-mapped addresses. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly low: string;
  readonly high: string;
}

// A range of IPv6 may go round them, as ::/0 does.
const MAPPED = "toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')";

/** Conditions of a query, joined by AND, and the values that they name. Only what is asked for becomes one. */
export class Conditions {
  readonly #sql: string[] = [];
  readonly #params: Record<string, SqlParam> = {};

  /** Adds a condition, and the values that it names. */
  add(sql: string, params: SqlParams = {}): this {
    this.#sql.push(`(${sql})`);
    Object.assign(this.#params, params);
    return this;
  }

  /** `column = value`, unless the value is empty or 0. */
  equal(name: string, column: string, type: string, value: string | number): this {
    return value === "" || value === 0 ? this : this.add(`${column} = {${name}:${type}}`, { [name]: value });
  }

  /** Any of the columns in the range, unless there is none. */
  within(name: string, columns: readonly string[], range: AddressRange | undefined): this {
    if (range === undefined) return this;
    const parts = columns.map((column) => {
      const within = `${column} BETWEEN {${name}_low:IPv6} AND {${name}_high:IPv6}`;
      return range.family === 6 ? `(${within} AND NOT (${column} BETWEEN ${MAPPED}))` : within;
    });
    return this.add(parts.join(" OR "), { [`${name}_low`]: range.low, [`${name}_high`]: range.high });
  }

  /** What follows WHERE. */
  get sql(): string {
    return this.#sql.join(" AND ");
  }

  /** The values that the conditions name. */
  get params(): SqlParams {
    return this.#params;
  }
}
