import { setImmediate } from "node:timers/promises";
import type { Logger, Metric } from "@waymark/agent";
import { type Counters, checkInterface, UnseenPackets } from "@waymark/probe";
import type { Measurement } from "./config.ts";
import type { Counts, FlowRecord } from "./flow-record.ts";
import { type FlowSink, FlowTable } from "./flow-table.ts";
import type { KernelTable, Meter } from "./meter.ts";
import type { Reporter } from "./reporter.ts";
import { Siblings } from "./siblings.ts";
import type { Timeline } from "./timeline.ts";

/** Takes the flow records of the agent. */
export interface Exporter {
  record(record: FlowRecord): void;
  /** A round of records has ended. */
  flush(): void;
  /** Waits until what was recorded is on its way, for so long at the most. */
  drain(deadlineMs: number): Promise<void>;
}

/** What the agent needs from outside. */
export interface AgentDependencies {
  readonly measurement: Measurement;
  readonly meters: readonly Meter[];
  readonly timeline: Timeline;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly exporters: readonly Exporter[];
  /** Aborted when the user asks for the end. */
  readonly signal: AbortSignal;
}

/** Flows that are kept for each that a table holds: those of some readings. */
const FLOWS_PER_TABLE = 2;
/** How long the last records may wait for the exporters to take those before them. */
const FINISH_MS = 7000;

/** One interface: what counts, and what is known of its flows. */
interface Place {
  readonly meter: Meter;
  readonly table: FlowTable;
  readonly unseen: UnseenPackets;
  filtered: Counts;
  /** Kernel memory of the table that was read last. */
  tableBytes: number;
  /** Somebody's program runs in front of ours; said once. */
  displaced: boolean;
}

/** Reads the tables in turn, and tells what is in them. */
export class Agent {
  readonly #deps: AgentDependencies;
  readonly #places: readonly Place[];
  readonly #sink: FlowSink;
  #lastReadNs = 0;
  #clockSteps = 0n;
  #displacements = 0n;

  constructor(deps: AgentDependencies) {
    this.#deps = deps;
    const { measurement, meters, timeline, reporter, exporters } = deps;
    const siblings = measurement.dedup ? new Siblings() : undefined;
    this.#places = meters.map((meter) => ({
      meter,
      table: new FlowTable({
        device: meter.device,
        limit: measurement.tableSize * FLOWS_PER_TABLE,
        activeTimeoutNs: Number(measurement.activeTimeoutNs),
        idleTimeoutNs: Number(measurement.idleTimeoutNs),
        readEveryNs: Number(measurement.readNs),
        baseNs: timeline.baseNs,
        siblings,
      }),
      unseen: new UnseenPackets(),
      filtered: { packets: 0, l3Bytes: 0, l2Bytes: 0 },
      tableBytes: meter.tableMemory(),
      displaced: false,
    }));
    this.#sink = {
      record: (record) => {
        for (const exporter of exporters) exporter.record(record);
      },
      ended: (sinceShown, sinceStart) => reporter.ended(sinceShown, sinceStart),
    };
  }

  /** Cumulative, for reports and metrics. */
  counters(): Counters {
    const sum = (of: (place: Place) => bigint) => this.#places.reduce((total, place) => total + of(place), 0n);
    return {
      counted_packets: sum(({ table }) => BigInt(table.countedPackets)),
      overflow_packets: sum(({ table }) => BigInt(table.overflowPackets)),
      filtered_packets: sum(({ filtered }) => BigInt(filtered.packets)),
      filtered_l3_bytes: sum(({ filtered }) => BigInt(filtered.l3Bytes)),
      filtered_l2_bytes: sum(({ filtered }) => BigInt(filtered.l2Bytes)),
      unseen: sum(({ unseen }) => unseen.total),
      clock_steps: this.#clockSteps,
      displacements: this.#displacements,
    };
  }

  /** What is kept now, for metrics. */
  gauges(): Metric[] {
    const gauge = (name: string, help: string, of: (place: Place) => number): Metric => ({
      ...{ name, help, type: "gauge" },
      samples: this.#places.map((place) => ({ labels: { interface: place.meter.device }, value: of(place) })),
    });
    return [
      gauge("waymark_tcflows_flows", "Flows that are kept: those that go on.", ({ table }) => table.size),
      gauge(
        "waymark_tcflows_table_bytes",
        "Kernel memory of the table that was read last.",
        (place) => place.tableBytes,
      ),
    ];
  }

  /** Runs until the signal is aborted; then detaches, and tells what was counted last. @throws what ended it otherwise */
  async run(): Promise<void> {
    const { measurement, signal } = this.#deps;
    const begin = performance.now();
    const readMs = Number(measurement.readNs) / 1e6;
    const showMs = Number(measurement.showNs) / 1e6;
    let shown = 0;
    try {
      while (!signal.aborted) {
        const sinceMs = performance.now() - begin;
        const nextShow = (shown + 1) * showMs;
        // Readings that could not be made in time are not made up for.
        const nextRead = (Math.floor(sinceMs / readMs) + 1) * readMs;
        await sleep(Math.min(nextShow, nextRead) - sinceMs, signal);
        if (signal.aborted) break;
        this.#lookAround();
        await this.#read();
        const nowMs = performance.now() - begin;
        if (nowMs < nextShow) continue;
        shown = Math.floor(nowMs / showMs);
        this.#show();
      }
    } finally {
      await this.#end();
    }
  }

  #lookAround(): void {
    const { logger, timeline } = this.#deps;
    for (const place of this.#places) {
      checkInterface(place.meter.device, place.meter.ifindex);
      if (!place.meter.keepPlace()) continue;
      this.#displacements++;
      if (place.displaced) continue;
      place.displaced = true;
      const hint = "--order last accepts what it lets through";
      logger.warn("another program runs in front of this one and may hide packets", {
        interface: place.meter.device,
        hint,
      });
    }
    const stepNs = timeline.followClock();
    if (stepNs === 0n) return;
    this.#clockSteps++;
    for (const { table } of this.#places) table.clockStepped(timeline.nowNs());
    logger.warn("wall clock stepped: times from here on are by the new one", { by_ms: Number(stepNs) / 1e6 });
  }

  /** Takes over all that was counted, then tells what is due. */
  async #read(): Promise<void> {
    const readNs = this.#deps.timeline.nowNs();
    for (const place of this.#places) {
      // Before the reading: a packet that comes in between is seen, and the interface has not counted it yet.
      const carried = place.meter.interfacePackets();
      this.#lookForUnseen(place, carried, this.#readPlace(place, place.meter.take(), readNs));
    }
    this.#lastReadNs = readNs;
    for (const { table } of this.#places) {
      table.advance(readNs, this.#sink);
      // What one interface had to tell goes out before the next one's.
      if (this.#places.length > 1) await setImmediate();
    }
    for (const exporter of this.#deps.exporters) exporter.flush();
  }

  /** Adds what was counted to what is known; whether anything was. */
  #readPlace(place: Place, kernelTable: KernelTable | undefined, readNs: number): boolean {
    const { meter, table } = place;
    using taken = kernelTable;
    let flows = 0;
    for (const batch of taken?.batches() ?? []) {
      flows += batch.count;
      table.absorb(batch);
    }
    if (taken) place.tableBytes = taken.info().memoryBytes;
    const before = table.overflowPackets;
    table.absorbOverflow(meter.overflow(), this.#lastReadNs, readNs);
    const filtered = meter.filtered();
    const sawSome = flows > 0 || table.overflowPackets !== before || filtered.packets !== place.filtered.packets;
    place.filtered = filtered;
    return sawSome;
  }

  #lookForUnseen({ meter, unseen }: Place, carried: bigint, sawSome: boolean): void {
    const missed = unseen.look(carried, sawSome);
    if (missed === 0n) return;
    this.#deps.logger.warn("the interface carried packets that this program did not see", {
      interface: meter.device,
      packets: String(missed),
    });
  }

  #show(): void {
    const tables = this.#places.map(({ table }) => table);
    this.#deps.reporter.show(tables, this.#lastReadNs);
  }

  /** More would not fit into the exporters' memory: lets them send what they have. */
  async #drain(deadline: number): Promise<void> {
    const { exporters } = this.#deps;
    for (const exporter of exporters) exporter.flush();
    await Promise.all(exporters.map((exporter) => exporter.drain(Math.max(1, deadline - performance.now()))));
  }

  /** Takes the programs off, reads what is left, and ends all flows. */
  async #end(): Promise<void> {
    const { timeline, exporters, reporter } = this.#deps;
    try {
      for (const { meter } of this.#places) meter.detach();
      for (const place of this.#places) this.#readPlace(place, place.meter.takeLast(), timeline.nowNs());
      const endNs = timeline.nowNs();
      const deadline = performance.now() + FINISH_MS;
      for (const { table } of this.#places) {
        while (table.finish(endNs, this.#sink)) await this.#drain(deadline);
      }
      for (const exporter of exporters) exporter.flush();
      this.#show();
    } finally {
      reporter.close();
    }
  }
}

/** Waits, or less when aborted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(1, ms));
    signal.addEventListener("abort", done);
  });
}
