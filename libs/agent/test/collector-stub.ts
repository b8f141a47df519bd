import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { PushRequestSchema, type PushResponse, PushResponseSchema } from "@waymark/proto/ingest";
import type { Report } from "@waymark/proto/report";

type Stream = ServerDuplexStream<Report, PushResponse>;

/** The collector's gRPC ingest with nothing behind it. */
export interface CollectorStub extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Everything that came, resent reports too. */
  readonly received: Report[];
  /** Whether reports are acknowledged, kept waiting (until `release`), or refused with a reason. */
  answer: "stored" | "wait" | { readonly refused: (report: Report) => string };
  /** Acknowledges what waits. */
  release(): void;
  /** Ends all streams and the server; the next `listen` takes the same port. */
  stop(): Promise<void>;
  listen(): Promise<void>;
}

/** Starts a server on a free loopback port. */
export async function startCollectorStub(): Promise<CollectorStub> {
  const stub = new Stub();
  await stub.listen();
  return stub;
}

class Stub implements CollectorStub {
  readonly received: Report[] = [];
  answer: CollectorStub["answer"] = "stored";
  port = 0;
  #server: Server | undefined;
  #waiting: (() => void)[] = [];

  get url(): string {
    return `grpc://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    const server = new Server();
    server.register(
      "/waymark.ingest.v1.IngestService/Push",
      (stream: Stream) => this.#serve(stream),
      encode,
      decode,
      "bidi",
    );
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#waiting = [];
  }

  release(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #serve(stream: Stream): void {
    stream.on("data", (report: Report) => {
      this.received.push(report);
      const respond = (refused: string) => {
        const { bootId, sequence, payload } = report;
        stream.write(create(PushResponseSchema, { bootId, kind: payload.case ?? "", sequence, refused }));
      };
      if (this.answer === "wait") this.#waiting.push(() => respond(""));
      else respond(this.answer === "stored" ? "" : this.answer.refused(report));
    });
    stream.on("error", () => {
      // The client went away; that is part of the tests.
    });
    stream.on("end", () => stream.end());
  }
}

function encode(response: PushResponse): Buffer {
  return Buffer.from(toBinary(PushResponseSchema, response));
}

function decode(bytes: Buffer): Report {
  const { report } = fromBinary(PushRequestSchema, bytes);
  if (report === undefined) throw new Error("a push without a report");
  return report;
}
