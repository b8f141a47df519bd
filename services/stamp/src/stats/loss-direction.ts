import { unwrap } from "./unwrap.ts";

/** A run of lost packets whose ways are found out. */
export interface DirectedRun<T> {
  /** Of each packet in it, in order: what it was reported with. */
  readonly packets: readonly T[];
  readonly forward: number;
  readonly backward: number;
}

/** A longer run is not told. */
const LONGEST_RUN = 65_536;

/**
 * Tells forward from backward loss by a stateful reflector's own numbers (RFC 8762 section 4): it took a number for every
 * packet that it answered, so of the packets lost between two answered ones as many were lost on the way back as numbers are
 * missing between the numbers of the two; all others never reached it.
 *
 * Packets are given in the order they were sent, after all answers in time to them are known. A lost packet with no answer
 * after it is never told, one with no answer before it only if the first answer has the reflector's first number. Once the
 * reflector has taken a number twice, its count began anew: nothing is told from then on.
 */
export class LossDirection<T> {
  readonly #seen: Uint8Array;
  readonly #mask: number;
  #newest: number | undefined;
  #anchor: number | undefined;
  #run: T[] = [];
  #isRunTooLong = false;
  #spare = 0;
  #answeredTwice = false;
  #numbersItself = false;
  #restarted = false;

  /** @param capacity a power of two: as many of the reflector's newest numbers are remembered */
  constructor(capacity: number) {
    this.#seen = new Uint8Array(capacity);
    this.#mask = capacity - 1;
  }

  /** The reflector's numbers are not the sender's: it is stateful. */
  get numbersItself(): boolean {
    return this.#numbersItself;
  }

  /** An answer in time, or one more to the same packet, has come. */
  arrived(sequence: number, reflectorSequence: number, isDuplicate: boolean): void {
    if (sequence !== reflectorSequence) this.#numbersItself = true;
    const number = this.#unwrap(reflectorSequence);
    if (this.#newest === undefined) this.#newest = number;
    if (!isDuplicate && (number <= this.#newest - this.#seen.length || this.#has(number))) this.#restarted = true;
    for (let next = this.#newest + 1; next <= number && next <= this.#newest + this.#seen.length; next++) {
      this.#seen[next & this.#mask] = 0;
    }
    if (isDuplicate && !this.#has(number)) this.#answeredTwice = true;
    if (number > this.#newest - this.#seen.length) this.#seen[number & this.#mask] = 1;
    if (number > this.#newest) this.#newest = number;
  }

  /** The next packet was not answered. */
  lost(packet: T): void {
    if (this.#run.length < LONGEST_RUN) this.#run.push(packet);
    else this.#isRunTooLong = true;
  }

  /** A packet given as lost was answered after all. @returns whether its run is not told yet, so that it is in none */
  retract(packet: T): boolean {
    const place = this.#run.indexOf(packet);
    if (place >= 0) this.#run.splice(place, 1);
    return place >= 0;
  }

  /** The next packet was answered with this number: the run before it, if it can be told. */
  answered(reflectorSequence: number): DirectedRun<T> | undefined {
    const number = this.#unwrap(reflectorSequence);
    // Any other first number may be one of an earlier session's, or follow packets whose answers were lost.
    const anchor = this.#anchor ?? (number === 0 ? -1 : undefined);
    if (this.#restarted) {
      this.#run = [];
      return undefined;
    }
    if (anchor !== undefined && number <= anchor) return undefined; // overtaken by a later packet: the run goes on
    this.#anchor = number;
    const packets = this.#run;
    const isTold = anchor !== undefined && number - anchor <= this.#seen.length && !this.#isRunTooLong;
    this.#run = [];
    this.#isRunTooLong = false;
    if (!isTold) return undefined;
    let missing = this.#answeredTwice ? 0 : this.#spare;
    for (let next = anchor + 1; next < number; next++) if (!this.#has(next)) missing += 1;
    // a number too many belongs to a later packet that overtook and whose answer was then lost
    const backward = Math.min(missing, packets.length);
    this.#spare = missing - backward;
    return packets.length > 0 ? { packets, forward: packets.length - backward, backward } : undefined;
  }

  #unwrap(reflectorSequence: number): number {
    return unwrap(reflectorSequence, this.#newest ?? reflectorSequence);
  }

  #has(number: number): boolean {
    return (
      this.#newest !== undefined &&
      number <= this.#newest &&
      number > this.#newest - this.#seen.length &&
      this.#seen[number & this.#mask] === 1
    );
  }
}
