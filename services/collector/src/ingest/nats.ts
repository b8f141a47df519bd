import { setTimeout as sleep } from "node:timers/promises";
import { errorLine, type Logger } from "@waymark/agent";
import { type ConsumerMessages, connect, Events, type JsMsg, type NatsConnection } from "nats";
import type { Ingest } from "./ingest.ts";
import { type ReportKind, reportKinds } from "./kinds.ts";
import { CONSUMER_NAME, ensureStream, streamName } from "./nats-streams.ts";
import { ClockDoubt } from "./refusal.ts";

/** Messages of one stream that may be under way; then no more are asked for. */
const MAX_UNDER_WAY = 400;
/** Messages that are asked for at a time. */
const MESSAGES_A_PULL = 200;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5_000;
const RECONNECT_MS = 500;
const NACK_DELAY_MS = 1_000;
const DOUBT_DELAY_MS = 30_000;

/** Takes reports from JetStream. That no server answers, at the start or later, is no error: it tries for ever. */
export class NatsIngest {
  readonly #servers: readonly string[];
  readonly #ingest: Ingest;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #consuming = new Map<ReportKind, ConsumerMessages>();
  readonly #underWay = new Set<Promise<void>>();
  #connection: NatsConnection | undefined;
  #away = false;
  #running: Promise<void> | undefined;

  /** @param servers URLs of one cluster's servers */
  constructor(servers: readonly string[], ingest: Ingest, log: Logger) {
    this.#servers = servers;
    this.#ingest = ingest;
    this.#log = log;
  }

  /** Begins to connect and to consume; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Whether a server is connected at the moment. */
  get connected(): boolean {
    return this.#connection !== undefined && !this.#connection.isClosed() && !this.#away;
  }

  /** Asks for no more messages. */
  async pause(): Promise<void> {
    this.#stop.abort();
    for (const messages of this.#consuming.values()) messages.stop();
  }

  /** Acknowledges what is stored, and disconnects. */
  async close(): Promise<void> {
    await this.pause();
    await Promise.allSettled(this.#underWay);
    await this.#connection
      ?.drain()
      .catch((error: unknown) => this.#log.debug("nats drain", { error: errorLine(error) }));
    await this.#running;
  }

  async #run(): Promise<void> {
    const connection = await this.#connect();
    if (connection === undefined) return;
    this.#connection = connection;
    this.#log.info("nats connected", { server: connection.getServer() });
    void this.#watch(connection);
    await Promise.all(reportKinds.map((kind) => this.#consumeKind(connection, kind)));
  }

  async #connect(): Promise<NatsConnection | undefined> {
    let told = false;
    return this.#retry(async () => {
      try {
        return await connect({
          servers: [...this.#servers],
          name: "waymark-collector",
          maxReconnectAttempts: -1,
          reconnectTimeWait: RECONNECT_MS,
        });
      } catch (error) {
        if (!told)
          this.#log.warn("nats does not answer, trying on", { servers: this.#servers, error: errorLine(error) });
        told = true;
        throw error;
      }
    });
  }

  // After a reconnect the server may be another one, without our streams: everything is looked at again.
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) {
        this.#away = true;
        this.#log.warn("nats disconnected");
      }
      if (type !== Events.Reconnect) continue;
      this.#away = false;
      this.#log.info("nats connected again", { server: connection.getServer() });
      for (const messages of this.#consuming.values()) messages.stop();
    }
  }

  async #consumeKind(connection: NatsConnection, kind: ReportKind): Promise<void> {
    let told = "";
    while (!this.#stop.signal.aborted && !connection.isClosed()) {
      await this.#retry(async () => {
        try {
          await ensureStream(await connection.jetstreamManager(), kind);
          const consumer = await connection.jetstream().consumers.get(streamName(kind), CONSUMER_NAME);
          const messages = await consumer.consume({ max_messages: MESSAGES_A_PULL });
          this.#consuming.set(kind, messages);
          if (this.#stop.signal.aborted) messages.stop();
          void this.#watchConsumer(messages);
          told = "";
          for await (const message of messages) await this.#take(message, kind);
        } catch (error) {
          const line = errorLine(error);
          if (line !== told)
            this.#log.warn("nats stream not consumed, trying on", { stream: streamName(kind), error: line });
          told = line;
          throw error;
        } finally {
          this.#consuming.delete(kind);
        }
      });
    }
  }

  // Ends the iteration when the stream or the consumer is gone, so that both are made again.
  async #watchConsumer(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of await messages.status()) {
      if (type === "consumer_deleted" || type === "consumer_not_found" || type === "stream_not_found") messages.stop();
    }
  }

  async #take(message: JsMsg, kind: ReportKind): Promise<void> {
    const taking = this.#answer(message, kind).finally(() => this.#underWay.delete(taking));
    this.#underWay.add(taking);
    while (this.#underWay.size >= MAX_UNDER_WAY) await Promise.race(this.#underWay);
  }

  async #answer(message: JsMsg, kind: ReportKind): Promise<void> {
    const [, , , agent = "", service = ""] = message.subject.split(".");
    try {
      // The broker's time: waiting in the stream says nothing about the agent's clock.
      await this.#ingest.take(message.data, BigInt(message.info.timestampNanos), { kind, agent, service });
      message.ack();
    } catch (error) {
      const inDoubt = error instanceof ClockDoubt;
      if (!inDoubt) this.#log.error("report not taken", { error: errorLine(error) });
      message.nak(inDoubt ? DOUBT_DELAY_MS : NACK_DELAY_MS);
    }
  }

  // Repeats until it works; undefined once this is to stop.
  async #retry<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let pauseMs = FIRST_RETRY_MS; !this.#stop.signal.aborted; pauseMs = Math.min(2 * pauseMs, LAST_RETRY_MS)) {
      try {
        return await work();
      } catch {
        // Reported by the work itself.
        await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
    return undefined;
  }
}
