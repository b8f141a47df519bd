const ATTEMPTS = 5;

/** What `clock` shows minus what `reference` shows. Of some attempts the one that was interrupted least. */
export function clockOffset(clock: () => bigint, reference: () => bigint): bigint {
  let best: { readonly gap: bigint; readonly offset: bigint } | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = reference();
    const now = clock();
    const gap = reference() - before;
    if (!best || gap < best.gap) best = { gap, offset: now - before - gap / 2n };
  }
  return best?.offset ?? 0n;
}
