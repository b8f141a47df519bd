import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@waymark/proto/report";
import { CommandError, errorLine } from "../errors.ts";
import { type AgentIdentity, isIdentifier } from "../identity.ts";
import { Bell } from "./bell.ts";
import { Delivery } from "./delivery.ts";
import { Outbox } from "./outbox.ts";
import type { Endpoint, Publisher, PublisherOptions, PublisherStats, ReportPayload } from "./publisher-api.ts";
import { parseReportTarget, type ReportTarget } from "./report-target.ts";

/** No report is bigger; the services cut their batches at 64 KiB. */
export const MAX_REPORT_BYTES = 256 * 1024;
const DEFAULT_MEMORY_BYTES = 16 * 1024 * 1024;
const DEFAULT_SPOOL_BYTES = 256 * 1024 * 1024;
const DEFAULT_IN_FLIGHT = 256;

/** One target with all that serves it. */
interface Lane {
  readonly target: ReportTarget;
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  endpoints: readonly Endpoint[];
}

/**
 * A publisher; it connects in the background, for ever.
 * @throws CommandError for a target that is none, or a spool directory that cannot be written
 * @throws RangeError for an identity that is none
 */
export function createPublisher(options: PublisherOptions): Publisher {
  checkIdentity(options);
  return new ReportPublisher(options);
}

function checkIdentity({ identity: { id, service }, bootId }: PublisherOptions): void {
  for (const text of [id, service, bootId]) {
    if (!isIdentifier(text)) throw new RangeError(`"${text}" is not 1 to 64 characters of A-Z a-z 0-9 _ -`);
  }
}

class ReportPublisher implements Publisher {
  readonly #options: PublisherOptions;
  readonly #lanes: readonly Lane[];
  readonly #sequences = new Map<string, bigint>();
  readonly #settled = new Bell();
  #published = 0;
  #endpoints: readonly Endpoint[] = [];

  constructor(options: PublisherOptions) {
    this.#options = options;
    const targets = new Map(options.targets.map(parseReportTarget).map((target) => [target.url, target]));
    if (options.spoolDir !== undefined) checkSpoolDirectory(options.spoolDir);
    this.#lanes = [...targets.values()].map((target) => this.#open(target));
  }

  publish(payload: ReportPayload): void {
    const kind = payload.case;
    if (typeof kind !== "string") throw new TypeError("a report needs a payload with a case");
    this.#published++;
    if (this.#lanes.length === 0) return;
    const sequence = (this.#sequences.get(kind) ?? 0n) + 1n;
    this.#sequences.set(kind, sequence);
    const { identity, bootId } = this.#options;
    const bytes = this.#encode(payload, sequence);
    const report = { agentId: identity.id, service: identity.service, bootId, kind, sequence, bytes };
    const tooBig = bytes.length > MAX_REPORT_BYTES;
    if (tooBig) this.#options.logger.error("report is too big", { kind, sequence, bytes: bytes.length });
    for (const { outbox } of this.#lanes) tooBig ? outbox.putUnsendable() : outbox.put(report);
  }

  stats(): PublisherStats {
    const targets = this.#lanes.map(({ target, outbox, delivery }) => ({
      target: target.url,
      connected: delivery.connected,
      ...outbox.counts,
      pending: outbox.pending,
      spoolBytes: outbox.spoolBytes,
      reconnects: delivery.reconnects,
    }));
    return { published: this.#published, targets };
  }

  localEndpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  async flush({ deadlineMs }: { readonly deadlineMs: number }): Promise<boolean> {
    const end = performance.now() + deadlineMs;
    for (const { outbox, delivery } of this.#lanes) if (outbox.pending > 0) delivery.wake();
    for (;;) {
      if (this.#lanes.every(({ outbox }) => outbox.pending === 0)) return true;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      await this.#settled.wait(leftMs);
    }
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#lanes.map(async ({ target, outbox, delivery }) => {
        await delivery.close();
        await outbox.close();
        if (outbox.pending === 0) return;
        const spooled = this.#options.spoolDir !== undefined;
        const event = spooled ? "reports stay in the spool" : "reports lost: not delivered before the end";
        this.#options.logger.warn(event, { target: target.url, reports: outbox.pending });
      }),
    );
  }

  #open(target: ReportTarget): Lane {
    const { limits = {}, spoolDir, logger, identity, nowNs } = this.#options;
    const bell = new LaneBell(this.#settled);
    const outbox = new Outbox({
      memoryBytes: limits.memoryBytes ?? DEFAULT_MEMORY_BYTES,
      bell,
      logger,
      ...(spoolDir !== undefined && {
        spool: {
          directory: join(spoolDir, fileName(identityName(identity)), fileName(target.url)),
          limitBytes: limits.spoolBytes ?? DEFAULT_SPOOL_BYTES,
        },
      }),
    });
    const delivery = new Delivery({
      target,
      outbox,
      bell,
      inFlight: limits.inFlight ?? DEFAULT_IN_FLIGHT,
      clientName: `waymark-${identity.service}/${identity.version}`,
      nowNs,
      logger,
      onEndpoints: (endpoints) => {
        lane.endpoints = endpoints;
        this.#updateEndpoints();
      },
    });
    const lane: Lane = { target, outbox, delivery, endpoints: [] };
    return lane;
  }

  #encode(payload: ReportPayload, sequence: bigint): Uint8Array {
    const { identity, bootId, kernelBootId, clock, counters } = this.#options;
    const report = create(ReportSchema, {
      agent: identity,
      bootId,
      kernelBootId,
      sequence,
      clock: clock(),
      counters: { ...counters(), ...this.#ownCounters() },
      payload,
    });
    return toBinary(ReportSchema, report);
  }

  #ownCounters(): Record<string, bigint> {
    const sum = (field: "dropped" | "refused" | "spoolErrors") =>
      this.#lanes.reduce((total, { outbox }) => total + BigInt(outbox.counts[field]), 0n);
    return { reports_dropped: sum("dropped"), reports_refused: sum("refused"), spool_errors: sum("spoolErrors") };
  }

  #updateEndpoints(): void {
    const all = this.#lanes.flatMap(({ endpoints }) => endpoints);
    const unique = new Map(all.map((endpoint) => [`${endpoint.address} ${endpoint.port}`, endpoint]));
    const next = [...unique.values()];
    const same =
      next.length === this.#endpoints.length &&
      this.#endpoints.every((old) => unique.has(`${old.address} ${old.port}`));
    if (same) return;
    this.#endpoints = next;
    try {
      this.#options.onEndpointsChange?.(next);
    } catch (error) {
      this.#options.logger.error("report endpoints not passed on", { error: errorLine(error) });
    }
  }
}

/** Rings for its delivery, and for everybody who waits for reports to be settled. */
class LaneBell extends Bell {
  readonly #other: Bell;

  constructor(other: Bell) {
    super();
    this.#other = other;
  }

  override ring(): void {
    super.ring();
    this.#other.ring();
  }
}

function identityName({ service, role, interface: device, id }: AgentIdentity): string {
  return [service, role, device, id].filter((part) => part !== "").join("-");
}

function fileName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, "_");
}

function checkSpoolDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CommandError(`--spool: "${directory}" cannot be written: ${errorLine(error)}`, { cause: error });
  }
}
