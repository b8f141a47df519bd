const FIRST_CAPACITY = 256;

/** Writes numbers in network order, one after the other. */
export class OctetWriter {
  #octets = new Uint8Array(FIRST_CAPACITY);
  #view = new DataView(this.#octets.buffer);
  #length = 0;

  u8(value: number): this {
    const at = this.#take(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#take(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#take(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#take(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#take(value.length);
    this.#octets.set(value, at);
    return this;
  }

  /** All that was written. */
  octets(): Uint8Array {
    return this.#octets.slice(0, this.#length);
  }

  /** Makes room first: the buffer may be another one afterwards. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#octets.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#octets);
      this.#octets = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
