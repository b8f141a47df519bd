import { fromBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@waymark/proto/report";
import { connect, type JetStreamManager, type NatsConnection, type StreamConfig } from "nats";
import {
  createPublisher,
  type Publisher,
  type PublisherOptions,
  silentLogger,
  type TargetStats,
} from "../src/index.ts";
import { identity } from "./publisher-fixture.ts";

export { identity, only, publishBlocks } from "./publisher-fixture.ts";

/** The deadline of every wait. */
const DEADLINE_MS = 20_000;
const POLL_MS = 5;

/** Waits until a condition holds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A publisher with a fixed clock error and a counter. */
export function openPublisher(options: Partial<PublisherOptions> & Pick<PublisherOptions, "targets">): Publisher {
  const publisher = createPublisher({
    identity,
    bootId: "boot-1",
    kernelBootId: "kernel-1",
    clock: () => ({ synchronised: true, maxErrorNs: 1_000n }),
    nowNs: () => BigInt(Date.now()) * 1_000_000n,
    counters: () => ({ no_match: 7n }),
    logger: silentLogger,
    ...options,
  });
  opened.push(publisher);
  return publisher;
}

const opened: Publisher[] = [];

/** Ends every publisher of the test, also after a failure. */
export async function closePublishers(): Promise<void> {
  await Promise.all(opened.splice(0).map((publisher) => publisher.close()));
}

/** What was published and recovered is where the counters say. */
export function expectBalanced(stats: TargetStats): void {
  expect(stats.published + stats.recovered).toBe(stats.acknowledged + stats.refused + stats.dropped + stats.pending);
}

/** 1n, 2n, … n */
export function sequencesTo(count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => BigInt(i + 1));
}

/** A connection of the test's own, with the stream that the collector would make. */
export interface Broker extends AsyncDisposable {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** All stored reports, as they were stored. */
  reports(): Promise<StoredReport[]>;
  count(): Promise<number>;
}

/** A report in the stream. */
export interface StoredReport {
  readonly subject: string;
  readonly messageId: string;
  readonly report: Report;
}

/** Makes the stream WAYMARK_LOSS. */
export async function addLossStream(manager: JetStreamManager, config: Partial<StreamConfig> = {}): Promise<void> {
  await manager.streams.add({
    name: "WAYMARK_LOSS",
    subjects: ["waymark.v1.loss.>"],
    discard: "new" as StreamConfig["discard"],
    storage: "file" as StreamConfig["storage"],
    duplicate_window: 600_000_000_000,
    ...config,
  });
}

/** Connects to a server. */
export async function openBroker(url: string): Promise<Broker> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  const manager = await connection.jetstreamManager();
  return {
    connection,
    manager,
    async count() {
      return (await manager.streams.info("WAYMARK_LOSS")).state.messages;
    },
    async reports() {
      const { state } = await manager.streams.info("WAYMARK_LOSS");
      const stored: StoredReport[] = [];
      for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
        const message = await manager.streams.getMessage("WAYMARK_LOSS", { seq });
        const report = fromBinary(ReportSchema, message.data);
        stored.push({ subject: message.subject, messageId: message.header.get("Nats-Msg-Id"), report });
      }
      return stored;
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
    },
  };
}

/** Sequences in ascending order. */
export function sequencesOf(reports: readonly StoredReport[]): bigint[] {
  return reports.map(({ report }) => report.sequence).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
