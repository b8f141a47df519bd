/** Finds packets that arrive after a later one (RFC 4737 section 3.3). Sequence numbers are unwrapped. */
export class Reordering {
  #nextExpected: number | undefined;

  /** Is this arrival reordered? Each packet is asked for once. */
  arrived(position: number): boolean {
    if (this.#nextExpected !== undefined && position < this.#nextExpected) return true;
    this.#nextExpected = position + 1;
    return false;
  }
}
