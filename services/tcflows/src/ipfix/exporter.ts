import { errorLine, type Logger } from "@waymark/agent";
import type { Exporter } from "../agent.ts";
import type { FlowRecord } from "../flow-record.ts";
import { type DataRecord, dataRecord, type RecordContext } from "./data-record.ts";
import { type Link, openLink } from "./link.ts";
import { buildMessage } from "./message.ts";
import type { IpfixTarget } from "./target.ts";

/** What an exporter needs. */
export interface IpfixOptions {
  readonly target: IpfixTarget;
  readonly context: RecordContext;
  /** The wall clock, nanoseconds since the Unix epoch. */
  readonly nowNs: () => bigint;
  readonly logger: Logger;
}

/** Records that wait while the collector is away or slow; the oldest beyond are dropped and counted. */
const MAX_QUEUED = 65_536;
/** Templates are told again so often where messages may be lost (RFC 7011 section 8.4). */
const TEMPLATES_EVERY_MS = 10_000;
/** Whoever needs to tell exporters apart has one of them on each host. */
const OBSERVATION_DOMAIN = 0;
/** Records that a message is made of, at the most. */
const MAX_RUN = 512;

/** Sends flow records to an IPFIX collector (RFC 7011). Trouble there is its own affair. */
export class IpfixExporter implements Exporter {
  readonly #options: IpfixOptions;
  readonly #link: Link;
  #queue: DataRecord[] = [];
  #sequence = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #sent = 0n;
  #dropped = 0n;
  #errors = 0n;
  #failing = false;

  constructor(options: IpfixOptions) {
    this.#options = options;
    this.#link = openLink(options.target, {
      onSession: () => {
        this.#sequence = 0;
        this.#toldMs = Number.NEGATIVE_INFINITY;
        this.#failing = false;
      },
      onReady: () => this.flush(),
      onError: (error) => this.#failed(error),
    });
  }

  /** Records sent, and given up because too many waited; errors of the network. */
  get counts(): { readonly sent: bigint; readonly dropped: bigint; readonly errors: bigint } {
    return { sent: this.#sent, dropped: this.#dropped, errors: this.#errors };
  }

  record(record: FlowRecord): void {
    // What another interface counts would be counted twice: IPFIX has no word for it.
    if (record.duplicate) return;
    this.#queue.push(dataRecord(record, this.#options.context));
    if (this.#queue.length % MAX_RUN === 0 && this.#link.ready) this.flush();
    if (this.#queue.length < 2 * MAX_QUEUED) return;
    this.#dropOldest();
  }

  flush(): void {
    let at = 0;
    while (at < this.#queue.length && this.#link.ready) {
      const count = this.#send(this.#queue.slice(at, at + MAX_RUN));
      if (count === 0) break;
      at += count;
    }
    this.#queue.splice(0, at);
    if (this.#queue.length > MAX_QUEUED) this.#dropOldest();
  }

  /** Waits until nothing waits for the collector, for so long at the most. */
  async drain(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    this.flush();
    while (this.#queue.length > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Sends what is left, for so long at the most, and ends. */
  async close(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    await this.drain(deadlineMs);
    await this.#link.close(Math.max(1, end - performance.now()));
    if (this.#queue.length === 0) return;
    const { target, logger } = this.#options;
    logger.warn("flow records lost: not sent before the end", { ipfix: target.url, records: this.#queue.length });
  }

  #send(records: readonly DataRecord[]): number {
    const nowMs = performance.now();
    const withTemplates = this.#link.reliable
      ? this.#toldMs === Number.NEGATIVE_INFINITY
      : nowMs - this.#toldMs >= TEMPLATES_EVERY_MS;
    const { octets, count } = buildMessage(records, {
      exportTimeS: Number(this.#options.nowNs() / 1_000_000_000n),
      sequence: this.#sequence,
      observationDomain: OBSERVATION_DOMAIN,
      withTemplates,
      maxBytes: this.#link.maxBytes,
    });
    if (withTemplates) this.#toldMs = nowMs;
    this.#link.send(octets);
    this.#sequence = (this.#sequence + count) % 2 ** 32;
    this.#sent += BigInt(count);
    return count;
  }

  #dropOldest(): void {
    const beyond = this.#queue.length - MAX_QUEUED;
    this.#queue.splice(0, beyond);
    this.#dropped += BigInt(beyond);
  }

  #failed(error: Error): void {
    this.#errors++;
    if (this.#failing) return;
    this.#failing = true;
    const { target, logger } = this.#options;
    logger.warn("IPFIX collector cannot be reached; trying again", { ipfix: target.url, error: errorLine(error) });
  }
}
