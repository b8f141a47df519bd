import { lookup } from "node:dns/promises";
import { errorLine } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { Backoff } from "./backoff.ts";
import type { Bell } from "./bell.ts";
import type { Outbox, OutboxEntry } from "./outbox.ts";
import { Pause } from "./pause.ts";
import type { Endpoint } from "./publisher-api.ts";
import type { ReportTarget } from "./report-target.ts";
import { type Connect, loadTransport, type Outcome, type ReportSession } from "./session.ts";

/** Bytes sent and not yet acknowledged. */
const IN_FLIGHT_BYTES = 4 * 1024 * 1024;
/** Different refusals, and different troubles at a time, that the log names. */
const MAX_REASONS = 32;

/** What a delivery needs. */
export interface DeliveryOptions {
  readonly target: ReportTarget;
  readonly outbox: Outbox;
  /** Rung by the outbox. */
  readonly bell: Bell;
  readonly inFlight: number;
  readonly clientName: string;
  readonly nowNs: () => bigint;
  readonly logger: Logger;
  /** The target's addresses are known, and no packet has gone to them yet. */
  readonly onEndpoints: (endpoints: readonly Endpoint[]) => void;
}

/** Brings the reports of one outbox to its target, for as long as it takes. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #backoff = new Backoff();
  /** Each with the connection that it went out on last. */
  readonly #inFlight = new Map<OutboxEntry, ReportSession>();
  readonly #pause = new Pause();
  /** Refusals that the log has named. */
  readonly #reasons = new Set<string>();
  /** Troubles that the log has named since the last success. */
  readonly #troubles = new Set<string>();
  #inFlightBytes = 0;
  /** Reports that may be in flight; one after trouble, then twice as many with every success. */
  #window = 1;
  #attempt = 0;
  readonly #stopping = new AbortController();
  #connected = false;
  #reconnects = -1;
  #sendFailed = false;
  readonly #done: Promise<void>;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Connections after the first one. */
  get reconnects(): number {
    return Math.max(this.#reconnects, 0);
  }

  /** Cuts a back-off short. */
  wake(): void {
    this.#backoff.reset();
    this.#pause.end();
  }

  /** Ends the connection; what is in flight goes back to the outbox. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#pause.end();
    this.#options.bell.ring();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const session = await this.#connect();
        if (session !== undefined) await this.#serve(session);
      } catch (error) {
        this.#complain("report target unreachable", errorLine(error));
      }
      if (!this.#stopped) await this.#pause.for(this.#backoff.nextMs());
    }
  }

  async #connect(): Promise<ReportSession | undefined> {
    const { target, clientName, nowNs, onEndpoints } = this.#options;
    const addresses = await lookup(target.host, { all: true });
    const endpoints = addresses.map(({ address }) => ({ address, port: target.port }));
    const endpoint = endpoints[this.#attempt++ % endpoints.length];
    if (endpoint === undefined) throw new Error(`${target.host} has no address`);
    const connect: Connect = await loadTransport(target);
    if (this.#stopped) return undefined;
    onEndpoints(endpoints);
    return await connect({ target, endpoint, clientName, nowNs, signal: this.#stopping.signal });
  }

  async #serve(session: ReportSession): Promise<void> {
    let ended: string | undefined;
    session.closed.then((reason) => {
      ended = reason;
      this.#options.bell.ring();
      this.#pause.end();
    });
    this.#connected = true;
    this.#reconnects++;
    this.#window = 1;
    this.#sendFailed = false;
    // A target that only accepts connections is not yet well again: its first answer is.
    if (this.#troubles.size === 0) {
      this.#options.logger.info("report target connected", { target: this.#options.target.url });
    }
    try {
      while (!this.#stopped && ended === undefined) await this.#step(session);
    } finally {
      this.#connected = false;
      const unanswered = [...this.#inFlight.keys()];
      this.#inFlight.clear();
      this.#inFlightBytes = 0;
      this.#options.outbox.giveBack(unanswered);
      await session.close();
    }
    if (ended !== undefined) this.#complain("report target lost", ended);
  }

  /** Sends one report, or waits for whatever allows it. */
  async #step(session: ReportSession): Promise<void> {
    const { bell, outbox } = this.#options;
    if (this.#sendFailed && this.#inFlight.size === 0) {
      this.#sendFailed = false;
      await this.#pause.for(this.#backoff.nextMs());
      return;
    }
    const full = this.#inFlight.size >= this.#window || this.#inFlightBytes >= IN_FLIGHT_BYTES;
    const entry = full || this.#sendFailed ? undefined : outbox.take();
    if (entry === undefined) return await bell.wait();
    this.#send(session, entry);
    await session.writable();
  }

  #send(session: ReportSession, entry: OutboxEntry): void {
    this.#inFlight.set(entry, session);
    this.#inFlightBytes += entry.report.bytes.length;
    session.send(entry.report).then(
      (outcome) => this.#landed(entry, session) && this.#onOutcome(entry, outcome),
      (error: unknown) => this.#landed(entry, session) && this.#onFailure(entry, error),
    );
  }

  /** Whether the answer still matters: after a lost connection the report is on its way again. */
  #landed(entry: OutboxEntry, session: ReportSession): boolean {
    if (this.#inFlight.get(entry) !== session) return false;
    this.#inFlight.delete(entry);
    this.#inFlightBytes -= entry.report.bytes.length;
    return true;
  }

  #onOutcome(entry: OutboxEntry, { refused }: Outcome): void {
    const { outbox, inFlight, logger, target } = this.#options;
    this.#backoff.reset();
    this.#window = Math.min(this.#window * 2, inFlight);
    if (this.#troubles.size > 0) logger.info("report target takes reports", { target: target.url });
    this.#troubles.clear();
    if (refused === undefined) {
      outbox.acknowledge(entry);
      return;
    }
    if (!this.#reasons.has(refused) && this.#reasons.size < MAX_REASONS) {
      this.#reasons.add(refused);
      logger.warn("report refused", { target: target.url, reason: refused, kind: entry.report.kind });
    }
    outbox.refuse(entry);
  }

  #onFailure(entry: OutboxEntry, error: unknown): void {
    this.#window = 1;
    this.#sendFailed = true;
    this.#complain("report target takes no reports", errorLine(error));
    this.#options.outbox.giveBack([entry]);
  }

  /** Says once what is wrong, until it is right again. */
  #complain(event: string, reason: string): void {
    const trouble = `${event}: ${reason}`;
    if (this.#stopped || this.#troubles.has(trouble) || this.#troubles.size >= MAX_REASONS) return;
    this.#troubles.add(trouble);
    this.#options.logger.warn(event, { target: this.#options.target.url, reason });
  }
}
