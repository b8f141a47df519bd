/** A stream of reports that can be held up. */
export interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/** Streams at once. */
export const MAX_STREAMS = 1024;
/** Reports of one stream that may be under way; then the stream is not read until one is done. */
const MAX_UNDER_WAY = 256;
/** Bytes of all streams' reports that may be under way, decoded or not; then no stream is read. */
export const MAX_BYTES_UNDER_WAY = 64 << 20;
// What a report costs beside its bytes.
const OVERHEAD_BYTES = 1024;

/** Decides which streams are read: bounds their number, and what all of them together have under way. */
export class StreamGate {
  readonly #maxBytes: number;
  readonly #underWay = new Map<Pausable, number>();
  #bytes = 0;
  #full = false;
  #closed = false;
  #refused = 0;

  constructor(maxBytes = MAX_BYTES_UNDER_WAY) {
    this.#maxBytes = maxBytes;
  }

  /** Streams that were refused because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Lets a stream in, or says no. */
  enter(stream: Pausable): boolean {
    if (this.#underWay.size >= MAX_STREAMS) {
      this.#refused++;
      return false;
    }
    this.#underWay.set(stream, 0);
    this.#update(stream);
    return true;
  }

  /** The stream is over. */
  leave(stream: Pausable): void {
    this.#underWay.delete(stream);
  }

  /** A report of so many bytes has come. */
  began(stream: Pausable, bytes: number): void {
    this.#bytes += bytes + OVERHEAD_BYTES;
    this.#count(stream, 1);
    if (this.#bytes >= this.#maxBytes && !this.#full) this.#setFull(true);
    else this.#update(stream);
  }

  /** It is stored, refused or given up. */
  ended(stream: Pausable, bytes: number): void {
    this.#bytes -= bytes + OVERHEAD_BYTES;
    this.#count(stream, -1);
    if (this.#bytes < this.#maxBytes && this.#full) this.#setFull(false);
    else this.#update(stream);
  }

  /** Reads no stream any more. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#underWay.keys()) this.#update(stream);
  }

  #setFull(full: boolean): void {
    this.#full = full;
    for (const stream of this.#underWay.keys()) this.#update(stream);
  }

  #count(stream: Pausable, change: number): void {
    const count = this.#underWay.get(stream);
    if (count !== undefined) this.#underWay.set(stream, count + change);
  }

  #update(stream: Pausable): void {
    const count = this.#underWay.get(stream);
    if (count === undefined) return;
    if (this.#closed || this.#full || count >= MAX_UNDER_WAY) stream.pause();
    else stream.resume();
  }
}
