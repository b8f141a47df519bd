import { fromBinary } from "@bufbuild/protobuf";
import { formatAddress } from "@waymark/packet";
import { type FlowKey, type Report, ReportSchema, type RttBatch } from "@waymark/proto/report";
import { type NatsServer, startNatsServer } from "@waymark/testkit";
import { connect, type JetStreamManager, type NatsConnection, type StreamConfig } from "nats";

const STREAM = "WAYMARK_RTT";

/** A broker with the stream that the collector would make for pping's reports. */
export class RttStream implements AsyncDisposable {
  readonly url: string;
  readonly #server: NatsServer;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;

  private constructor(server: NatsServer, connection: NatsConnection, manager: JetStreamManager) {
    this.url = server.url;
    this.#server = server;
    this.#connection = connection;
    this.#manager = manager;
  }

  static async start(): Promise<RttStream> {
    const server = await startNatsServer();
    const connection = await connect({ servers: server.url });
    const manager = await connection.jetstreamManager();
    await manager.streams.add({
      name: STREAM,
      subjects: ["waymark.v1.rtt.*.*"],
      storage: "file" as StreamConfig["storage"],
    });
    return new RttStream(server, connection, manager);
  }

  /** All reports so far. */
  async reports(): Promise<Report[]> {
    const { state } = await this.#manager.streams.info(STREAM);
    const reports: Report[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await this.#manager.streams.getMessage(STREAM, { seq });
      reports.push(fromBinary(ReportSchema, message.data));
    }
    return reports;
  }

  /** Their batches. */
  async batches(): Promise<RttBatch[]> {
    const reports = await this.reports();
    return reports.flatMap(({ payload }) => (payload.case === "rtt" ? [payload.value] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** `10.0.0.2:80+10.0.0.1:4000` */
export function flowText(flow: FlowKey | undefined): string {
  if (flow === undefined) throw new Error("a place without a flow");
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = flow;
  return `${formatAddress(sourceAddress)}:${sourcePort}+${formatAddress(destinationAddress)}:${destinationPort}`;
}
