/** The middle of some figures. @throws RangeError for none */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError("median of nothing");
  return middle;
}

/** Prints rows under their headings, columns aligned. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  const ruler = widths.map((width) => "-".repeat(width));
  process.stdout.write(`${[headings, ruler, ...rows].map(line).join("\n")}\n`);
}
