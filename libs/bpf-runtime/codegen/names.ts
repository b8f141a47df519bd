/** `altmark_flow_key` → `AltmarkFlowKey`. */
export function pascal(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== "")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

/** `altmark_flow_key` → `altmarkFlowKey`. */
export function camel(name: string): string {
  const whole = pascal(name);
  return whole.charAt(0).toLowerCase() + whole.slice(1);
}

/** Members that exist only for layout: `_pad`, `__pad2`. */
export function isPadding(name: string): boolean {
  return /^_+(pad|reserved)/.test(name);
}
