import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import { errorLine, type Logger } from "@waymark/agent";
import { IngestService, PushRequestSchema, type PushResponse, PushResponseSchema } from "@waymark/proto/ingest";
import type { NowNs } from "../clock.ts";
import type { Ingest, Receipt } from "./ingest.ts";
import { ClockDoubt } from "./refusal.ts";
import { MAX_STREAMS, StreamGate } from "./stream-gate.ts";
import { MAX_REPORT_BYTES } from "./validate.ts";

// Above what is refused with a reason; what is larger still ends its stream.
const MAX_MESSAGE_BYTES = 2 * MAX_REPORT_BYTES;
/** An agent needs one. */
const MAX_STREAMS_A_CONNECTION = 8;
/** A connection without a stream is closed after this. */
const MAX_IDLE_MS = 300_000;
const KEEPALIVE_MS = 30_000;
const DRAIN_MS = 2_000;

type PushStream = ServerDuplexStream<Uint8Array, PushResponse>;

/** The brokerless way in: `waymark.ingest.v1.IngestService` over gRPC. */
export interface GrpcIngest {
  /** The port it listens on. */
  readonly port: number;
  /** Streams refused because there were too many. */
  readonly refusedStreams: number;
  /** Takes no more reports. The streams stay until `close`, so that what is under way can be acknowledged. */
  pause(): void;
  /** Ends all streams and gives the port back. */
  close(): Promise<void>;
}

/**
 * Listens for agents on all addresses.
 *
 * @param port 0 for any free one
 * @throws Error with `code` EADDRINUSE or EACCES when the port cannot be had
 */
export async function listenGrpc(port: number, ingest: Ingest, nowNs: NowNs, log: Logger): Promise<GrpcIngest> {
  // It would write its own lines to standard error; what matters is reported as an error.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.max_concurrent_streams": MAX_STREAMS_A_CONNECTION,
    "grpc.max_connection_idle_ms": MAX_IDLE_MS,
  });
  const streams = new Set<PushStream>();
  const gate = new StreamGate();
  server.addService(SERVICE, {
    Push: (stream: PushStream) => {
      if (!gate.enter(stream)) {
        refuse(stream, gate, log);
        return;
      }
      streams.add(stream);
      void serve(stream, ingest, nowNs, log, gate).finally(() => {
        gate.leave(stream);
        streams.delete(stream);
      });
    },
  });
  const bound = await bind(server, port);
  return {
    port: bound,
    get refusedStreams() {
      return gate.refused;
    },
    pause: () => gate.close(),
    close: async () => {
      for (const stream of streams) stream.end();
      await shutdown(server);
    },
  };
}

// Requests stay bytes here: one that cannot be read is answered, it does not end the stream.
const SERVICE = {
  Push: {
    path: `/${IngestService.typeName}/${IngestService.method.push.name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    requestDeserialize: (bytes: Buffer): Uint8Array => bytes,
    responseSerialize: (response: PushResponse) => Buffer.from(toBinary(PushResponseSchema, response)),
    responseDeserialize: (bytes: Buffer) => fromBinary(PushResponseSchema, bytes),
  },
} as const;

function refuse(stream: PushStream, gate: StreamGate, log: Logger): void {
  // Powers of two: enough to see it, too few to fill a disk.
  const count = gate.refused;
  if ((count & (count - 1)) === 0)
    log.warn("agent's stream refused: there are too many", { limit: MAX_STREAMS, count });
  stream.emit("error", { code: status.RESOURCE_EXHAUSTED, details: `${MAX_STREAMS} streams are the limit` });
}

async function serve(stream: PushStream, ingest: Ingest, nowNs: NowNs, log: Logger, gate: StreamGate): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  stream.on("data", (message: Uint8Array) => {
    gate.began(stream, message.length);
    const taking = answer(stream, message, ingest, nowNs)
      .catch((error: unknown) => {
        if (!(error instanceof ClockDoubt)) log.error("report not taken", { error });
        stream.emit("error", { code: status.UNAVAILABLE, details: errorLine(error) });
      })
      .finally(() => {
        underWay.delete(taking);
        gate.ended(stream, message.length);
      });
    underWay.add(taking);
  });
  stream.on("end", end);
  stream.on("cancelled", end);
  stream.on("error", end);
  stream.on("close", end);
  await ended;
  await Promise.all(underWay);
  if (!stream.destroyed) stream.end();
}

async function answer(stream: PushStream, message: Uint8Array, ingest: Ingest, nowNs: NowNs): Promise<void> {
  const receipt = await ingest.take(reportBytes(message), nowNs());
  // An agent that does not read its acknowledgements holds up its own stream only: the rest waits in this buffer,
  // bounded by what it may have under way.
  if (!stream.destroyed && !stream.cancelled) stream.write(responseTo(receipt));
}

function responseTo({ key, outcome }: Receipt): PushResponse {
  return create(PushResponseSchema, {
    bootId: key?.bootId ?? "",
    kind: key?.kind ?? "",
    sequence: key?.sequence ?? 0n,
    refused: outcome.status === "refused" ? outcome.refusal.message : "",
  });
}

/** The bytes of the report in a PushRequest; what cannot be read comes back whole and fails to decode later. */
function reportBytes(message: Uint8Array): Uint8Array {
  try {
    const reader = new BinaryReader(message);
    let report: Uint8Array = new Uint8Array();
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === PushRequestSchema.field.report.number && wireType === WireType.LengthDelimited)
        report = reader.bytes();
      else reader.skip(wireType, field);
    }
    return report;
  } catch {
    // Not a PushRequest: decoding it as a report gives the reason.
    return message;
  }
}

async function bind(server: Server, port: number): Promise<number> {
  try {
    return await bindTo(server, `[::]:${port}`);
  } catch (error) {
    // A host without IPv6.
    if (!/EAFNOSUPPORT|EADDRNOTAVAIL/.test(errorLine(error))) throw listenError(error, port);
    return bindTo(server, `0.0.0.0:${port}`).catch((second: unknown) => {
      throw listenError(second, port);
    });
  }
}

function bindTo(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

// grpc-js puts the system's error into a text.
function listenError(error: unknown, port: number): Error {
  const code = /E[A-Z]{4,}/.exec(errorLine(error))?.[0] ?? "UNKNOWN";
  return Object.assign(new Error(`listen for agents on port ${port}: ${code}`, { cause: error }), { code });
}

async function shutdown(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, DRAIN_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
