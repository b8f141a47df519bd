/**
 * Adds two values of one codec: numbers and bigints are added, arrays and structures member by member. What cannot be
 * added (octets, booleans) is taken from `a`.
 */
export function addValues<V>(a: V, b: V): V {
  return add(a, b) as V;
}

function add(a: unknown, b: unknown): unknown {
  if (typeof a === "bigint" && typeof b === "bigint") return a + b;
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a instanceof Uint8Array) return a;
  if (Array.isArray(a) && Array.isArray(b)) return a.map((item, index) => add(item, b[index]));
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    const other = b as Readonly<Record<string, unknown>>;
    return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, add(value, other[name])]));
  }
  return a;
}
