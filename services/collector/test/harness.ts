import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type ClientDuplexStream, credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { type Logger, silentLogger } from "@waymark/agent";
import { PushRequestSchema, type PushResponse, PushResponseSchema } from "@waymark/proto/ingest";
import { QueryService } from "@waymark/proto/query";
import type { Report } from "@waymark/proto/report";
import { type Collector, startCollector } from "../src/collector.ts";
import type { Config } from "../src/config.ts";
import { freePort, until } from "./temporary.ts";

/** A collector in this process and what it has printed. */
export interface TestCollector extends Collector {
  readonly lines: string[];
}

/** Starts a collector on free ports with everything that may be left out left out. */
export async function startTestCollector(
  store: string,
  more: Partial<Config> = {},
  log: Logger = silentLogger,
): Promise<TestCollector> {
  const lines: string[] = [];
  const config: Config = {
    grpcPort: 0,
    listen: { host: "127.0.0.1", port: await freePort() },
    nats: [],
    store,
    retentionS: 30 * 86_400,
    print: true,
    metrics: undefined,
    healthFile: undefined,
    logLevel: "silent",
    ...more,
  };
  const output = { write: (text: string) => lines.push(...text.split("\n").filter((line) => line !== "")) };
  const collector = await startCollector(config, output, log);
  return { ...collector, lines };
}

/** A client of the query API over gRPC. */
export function queryClient(port: number): Client<typeof QueryService> {
  return createClient(QueryService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
}

/** An agent's stream of reports. */
export class Pusher {
  readonly responses: PushResponse[] = [];
  /** How the stream ended; undefined while it lasts. */
  ended: Error | "ended" | undefined;
  readonly #client: GrpcClient;
  readonly #call: ClientDuplexStream<Uint8Array, PushResponse>;

  constructor(port: number) {
    this.#client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#call = this.#client.makeBidiStreamRequest(
      "/waymark.ingest.v1.IngestService/Push",
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(PushResponseSchema, bytes),
    );
    this.#call.on("data", (response: PushResponse) => this.responses.push(response));
    this.#call.on("error", (error) => {
      this.ended = error;
    });
    this.#call.on("end", () => {
      this.ended ??= "ended";
    });
  }

  /** Sends a message as it is. */
  sendBytes(bytes: Uint8Array): void {
    this.#call.write(bytes);
  }

  /** Sends reports without waiting for them. */
  send(...reports: readonly Report[]): void {
    for (const report of reports) this.sendBytes(toBinary(PushRequestSchema, create(PushRequestSchema, { report })));
  }

  /** Waits until this many reports in all have been answered. */
  answered(count: number): Promise<PushResponse[]> {
    return until(`${count} answers`, () => (this.responses.length >= count ? this.responses : undefined));
  }

  /** Sends reports and waits for their answers. */
  async push(...reports: readonly Report[]): Promise<PushResponse[]> {
    const already = this.responses.length;
    this.send(...reports);
    return (await this.answered(already + reports.length)).slice(already);
  }

  close(): void {
    this.#call.end();
    this.#client.close();
  }
}
