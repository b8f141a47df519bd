import { type Codec, viewOf } from "./codec.ts";
import { check, closedError } from "./errors.ts";
import { native } from "./native.ts";
import { Poller } from "./poller.ts";

/** How a ring buffer is read. */
export interface RingBufferOptions {
  /** Octets read at once at most; default 1 MiB. */
  readonly batchBytes?: number;
  /** Ends the stream, as `close()` does. */
  readonly signal?: AbortSignal;
}

/** What has come through a ring buffer. What found it full is counted by the BPF program. */
export interface RingBufferStats {
  readonly records: number;
  readonly bytes: number;
  readonly batches: number;
  readonly wakeups: number;
  /** Records of another size than the type has; they are left out. */
  readonly malformed: number;
}

/** Records that were read together. Decoded as they are iterated; only until the next batch is asked for. */
export interface RingBatch<T> extends Iterable<T> {
  readonly count: number;
  /** The records as they lie in memory, `recordBytes` each. */
  readonly view: DataView;
  readonly recordBytes: number;
}

const DEFAULT_BATCH_BYTES = 1 << 20;

class Records<T> implements RingBatch<T> {
  readonly count: number;
  readonly view: DataView;
  readonly #codec: Codec<T>;

  constructor(count: number, view: DataView, codec: Codec<T>) {
    this.count = count;
    this.view = view;
    this.#codec = codec;
  }

  get recordBytes(): number {
    return this.#codec.size;
  }

  *[Symbol.iterator](): Generator<T, void> {
    const { size } = this.#codec;
    for (let index = 0; index < this.count; index++) yield this.#codec.decode(this.view, index * size);
  }
}

/**
 * A ring buffer as a stream of batches for one consumer. While the consumer is busy nothing is read: the ring fills, and
 * the program counts what finds no room.
 */
export class BpfRingBuffer<T> {
  readonly name: string;
  readonly #codec: Codec<T>;
  readonly #ring: number;
  readonly #poller: Poller;
  readonly #buffer: Uint8Array;
  readonly #malformed = new Uint32Array(1);
  readonly #signal: AbortSignal | undefined;
  readonly #onClose: (ring: BpfRingBuffer<T>) => void;
  readonly #stats = { records: 0, bytes: 0, batches: 0, wakeups: 0, malformed: 0 };
  #iterating = false;
  #closed = false;

  /** Not for users: ring buffers come from an object. */
  constructor(
    name: string,
    mapFd: number,
    codec: Codec<T>,
    options: RingBufferOptions,
    onClose: (ring: BpfRingBuffer<T>) => void,
  ) {
    const batchBytes = options.batchBytes ?? DEFAULT_BATCH_BYTES;
    if (codec.size === 0) throw new TypeError(`ring buffer ${name} has no record type: give its map a value type`);
    if (batchBytes < codec.size) throw new RangeError(`ring buffer ${name}: ${batchBytes} octets hold no record`);
    this.name = name;
    this.#codec = codec;
    this.#onClose = onClose;
    this.#buffer = new Uint8Array(Math.floor(batchBytes / codec.size) * codec.size);
    this.#ring = check(native().ringOpen(mapFd, codec.size), "open ring buffer", name);
    try {
      this.#poller = new Poller(native().ringEpollFd(this.#ring), name);
    } catch (error) {
      native().ringClose(this.#ring);
      throw error;
    }
    this.#signal = options.signal;
    if (this.#signal?.aborted) this.close();
    else this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  get closed(): boolean {
    return this.#closed;
  }

  stats(): RingBufferStats {
    return { ...this.#stats };
  }

  /** Everything that is in the ring now, without waiting; undefined if it is empty. Valid until the next read. */
  read(): RingBatch<T> | undefined {
    if (this.#closed) throw closedError("read ring buffer", this.name);
    const malformed = new Uint8Array(this.#malformed.buffer);
    const count = native().ringConsume(this.#ring, this.#buffer, malformed);
    check(count, "read ring buffer", this.name);
    this.#stats.malformed += this.#malformed[0] ?? 0;
    if (count === 0) return undefined;
    this.#stats.batches++;
    this.#stats.records += count;
    this.#stats.bytes += count * this.#codec.size;
    return new Records(count, viewOf(this.#buffer), this.#codec);
  }

  /**
   * Batches as they come, until `close()`, the abort of the signal, or a `break`, each of which closes the reader. A
   * batch is void when the next one is asked for.
   * @throws TypeError for a second consumer
   */
  async *batches(): AsyncGenerator<RingBatch<T>, void> {
    if (this.#iterating) throw new TypeError(`ring buffer ${this.name} has a consumer already`);
    this.#iterating = true;
    try {
      while (!this.#closed) {
        const batch = this.read();
        if (batch) yield batch;
        else await this.#wait();
      }
    } finally {
      this.close();
    }
  }

  /** Ends the stream; records still in the ring stay there. Again: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#poller.close();
    native().ringClose(this.#ring);
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #abort = (): void => this.close();

  async #wait(): Promise<void> {
    await this.#poller.readable();
    this.#stats.wakeups++;
  }
}
