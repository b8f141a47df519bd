import { fromBinary } from "@bufbuild/protobuf";
import type { Logger } from "@waymark/agent";
import { type Report, ReportSchema } from "@waymark/proto/report";
import type { NowNs, StoreClock } from "../clock.ts";
import type { Store } from "../store/store.ts";
import { Batcher, type Stored } from "./batcher.ts";
import type { BootLog, Outcome } from "./boot-log.ts";
import { BootLogs } from "./boot-logs.ts";
import { ByteBudget } from "./byte-budget.ts";
import { ClockAgreement } from "./clock-agreement.ts";
import type { KnownPayload } from "./kinds.ts";
import { Refusal, type RefusalReason } from "./refusal.ts";
import { type ReportKey, reportKey } from "./report-key.ts";
import { reportRows } from "./rows.ts";
import { MAX_REPORT_BYTES, validateReport } from "./validate.ts";

/**
 * Bytes of reports between decoding and storing. Decoded, and again as rows, a report takes several times as much, a
 * hostile one 40 times.
 */
const MAX_DECODED_BYTES = 8 << 20;
// What the smallest report costs.
const LEAST_BYTES = 512;

/** What the ingest has done since it began. */
export interface IngestStats {
  stored: number;
  duplicates: number;
  readonly refused: Map<RefusalReason, number>;
  /** Reports stored and their rows, by kind. */
  readonly kinds: Map<string, { reports: number; rows: number }>;
}

/** A report that was taken in. `key` is undefined when it could not even be read. */
export interface Receipt {
  readonly key: ReportKey | undefined;
  readonly outcome: Outcome;
}

/** Where the subject said that a report comes from. */
export interface Origin {
  readonly kind: string;
  readonly agent: string;
  readonly service: string;
}

/** The one way into the store, whichever transport a report came by. */
export class Ingest {
  readonly stats: IngestStats = { stored: 0, duplicates: 0, refused: new Map(), kinds: new Map() };
  readonly batcher: Batcher;
  readonly #nowNs: NowNs;
  readonly #log: Logger;
  readonly #boots: BootLogs;
  readonly #decoded = new ByteBudget(MAX_DECODED_BYTES);
  readonly #agreement: ClockAgreement;
  readonly #onReport: ((report: Report) => void) | undefined;

  constructor(options: {
    readonly store: Store;
    readonly clock: StoreClock;
    readonly nowNs: NowNs;
    readonly log: Logger;
    readonly onStored?: (stored: Stored) => void;
    /** Called with every report that was stored, once. */
    readonly onReport?: (report: Report) => void;
  }) {
    this.#onReport = options.onReport;
    this.#nowNs = options.nowNs;
    this.#log = options.log;
    this.batcher = new Batcher(options.store, options.clock, options.log, options.onStored);
    this.#boots = new BootLogs(options.store);
    this.#agreement = new ClockAgreement(options.log);
  }

  /**
   * Takes one report in: decodes, validates, drops what is stored already, stores. Resolves when the report may be
   * acknowledged, and never for a report that is not stored and not refused; rejects only when the store is closed
   * or cannot be read, and with a ClockDoubt when it cannot be told whose clock is wrong.
   *
   * @param arrivedNs when it reached the broker or the collector
   */
  async take(body: Uint8Array, arrivedNs: bigint, origin?: Origin): Promise<Receipt> {
    const bytes = Math.max(body.length, LEAST_BYTES);
    await this.#decoded.acquire(bytes);
    try {
      return await this.#take(body, arrivedNs, origin);
    } finally {
      this.#decoded.release(bytes);
    }
  }

  /** Stores what waits and stops. */
  async close(): Promise<void> {
    await this.batcher.close();
  }

  async #take(body: Uint8Array, arrivedNs: bigint, origin: Origin | undefined): Promise<Receipt> {
    let key: ReportKey | undefined;
    try {
      const report = decode(body);
      key = reportKey(report);
      if (body.length > MAX_REPORT_BYTES) {
        throw new Refusal("oversized", `${body.length} bytes are more than ${MAX_REPORT_BYTES}`);
      }
      if (origin !== undefined) checkOrigin(key, origin);
      const nowNs = this.#nowNs();
      this.#agreement.check(report, nowNs);
      const payload = validateReport(report, nowNs);
      this.#agreement.note(report, nowNs);
      const outcome = await this.#admit(report, payload, key, arrivedNs);
      if (outcome.status === "stored") this.stats.stored++;
      else if (outcome.status === "duplicate") this.stats.duplicates++;
      return { key, outcome };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(error, key);
      return { key, outcome: { status: "refused", refusal: error } };
    }
  }

  #admit(report: Report, payload: KnownPayload, key: ReportKey, arrivedNs: bigint): Promise<Outcome> {
    return this.#boots.use(key, async (boot) => {
      const name = `${key.kind}/${key.sequence}`;
      const underWay = boot.underWay.get(name);
      if (underWay !== undefined) {
        const outcome = await underWay;
        return outcome.status === "stored" ? { status: "duplicate" } : outcome;
      }
      const known = boot.sequences(key.kind).has(Number(key.sequence));
      if (known === true) return { status: "duplicate" };
      const storing = this.#store(report, payload, key, arrivedNs, boot, known === "unknown");
      boot.underWay.set(name, storing);
      try {
        return await storing;
      } finally {
        boot.underWay.delete(name);
      }
    });
  }

  async #store(
    report: Report,
    payload: KnownPayload,
    key: ReportKey,
    arrivedNs: bigint,
    boot: BootLog,
    ask: boolean,
  ): Promise<Outcome> {
    if (ask && (await this.#boots.isStored(key))) return { status: "duplicate" };
    const offsetNs = boot.offsetNs(arrivedNs - report.sentAtNs);
    const rows = reportRows(report, payload, arrivedNs, offsetNs);
    await this.batcher.add(key, rows);
    const count = this.stats.kinds.get(key.kind) ?? { reports: 0, rows: 0 };
    this.stats.kinds.set(key.kind, { reports: count.reports + 1, rows: count.rows + rows.count });
    boot.sequences(key.kind).add(Number(key.sequence));
    this.#onReport?.(report);
    return { status: "stored" };
  }

  #refuse(refusal: Refusal, key: ReportKey | undefined): void {
    const count = (this.stats.refused.get(refusal.reason) ?? 0) + 1;
    this.stats.refused.set(refusal.reason, count);
    // Powers of two: enough to see it, too few to fill a disk.
    if ((count & (count - 1)) === 0) {
      this.#log.warn("report refused", { reason: refusal.reason, why: refusal.message, agent: key?.agent, count });
    }
  }
}

function decode(body: Uint8Array): Report {
  try {
    return fromBinary(ReportSchema, body);
  } catch (error) {
    throw new Refusal("malformed", `not a report: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkOrigin(key: ReportKey, origin: Origin): void {
  const same = key.agent === origin.agent && key.service === origin.service;
  const kind = key.kind === "" || key.kind === origin.kind;
  if (!same || !kind) throw new Refusal("subject", "the report does not belong to its subject");
}
