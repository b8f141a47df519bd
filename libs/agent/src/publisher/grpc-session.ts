import { fromBinary } from "@bufbuild/protobuf";
import { type ChannelOptions, Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { type PushResponse, PushResponseSchema } from "@waymark/proto/ingest";
import { formatHostPort } from "../command/host-port.ts";
import { errorLine } from "../errors.ts";
import { probe } from "./probe.ts";
import { type QueuedReport, stampReport } from "./queued-report.ts";
import { ANSWER_TIMEOUT_MS, type ConnectOptions, type Outcome, type ReportSession } from "./session.ts";

const METHOD = "/waymark.ingest.v1.IngestService/Push";
/** The connection preface with an empty SETTINGS frame (RFC 9113 section 3.4): an HTTP/2 server answers with its own. */
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
/** PushRequest.report: field 1, length-delimited. */
const REPORT_TAG = 0x0a;
/** A stream without any acknowledgement for so long, while some are awaited, is given up. */
const STALLED_MS = 30_000;

type PushStream = ClientDuplexStream<Uint8Array, PushResponse>;

/** Opens the stream to a collector. */
export async function connectGrpc({
  target,
  endpoint,
  clientName,
  nowNs,
  signal,
}: ConnectOptions): Promise<ReportSession> {
  await probe(endpoint, HTTP2_PREFACE, signal);
  const client = new Client(address(endpoint), credentials.createInsecure(), channelOptions(target, clientName));
  const stream: PushStream = client.makeBidiStreamRequest(METHOD, (bytes: Uint8Array) => Buffer.from(bytes), decode);
  return new GrpcSession(client, stream, nowNs);
}

function decode(bytes: Buffer): PushResponse {
  return fromBinary(PushResponseSchema, bytes);
}

function address({ address: ip, port }: { address: string; port: number }): string {
  return ip.includes(":") ? `ipv6:[${ip}]:${port}` : `ipv4:${ip}:${port}`;
}

function channelOptions(target: ConnectOptions["target"], clientName: string): ChannelOptions {
  return {
    "grpc.default_authority": formatHostPort(target),
    "grpc.primary_user_agent": clientName,
    "grpc.keepalive_time_ms": 2 * ANSWER_TIMEOUT_MS,
    "grpc.keepalive_timeout_ms": ANSWER_TIMEOUT_MS,
    // A shared pool would remember its own back-off from one session to the next.
    "grpc.use_local_subchannel_pool": 1,
    // http_proxy in the environment is meant for the web, not for the collector.
    "grpc.enable_http_proxy": 0,
  };
}

interface Awaited {
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

class GrpcSession implements ReportSession {
  readonly closed: Promise<string>;
  readonly #client: Client;
  readonly #stream: PushStream;
  readonly #nowNs: () => bigint;
  readonly #awaited = new Map<string, Awaited>();
  readonly #end: (reason: string) => void;
  #stallTimer: NodeJS.Timeout | undefined;
  #drained: Promise<void> = Promise.resolve();

  constructor(client: Client, stream: PushStream, nowNs: () => bigint) {
    this.#client = client;
    this.#stream = stream;
    this.#nowNs = nowNs;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    this.#end = resolve;
    stream.on("data", (response: PushResponse) => this.#onResponse(response));
    stream.on("error", (error) => this.#onEnd(errorLine(error)));
    stream.on("end", () => this.#onEnd("the collector ended the stream"));
  }

  send(report: QueuedReport): Promise<Outcome> {
    const key = answerKey(report);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#awaited.set(key, { resolve, reject });
    this.#watchStall();
    if (!this.#stream.write(pushRequest(stampReport(report, this.#nowNs())))) {
      this.#drained = new Promise((drained) => {
        this.#stream.once("drain", drained);
        this.closed.then(() => drained());
      });
    }
    return promise;
  }

  writable(): Promise<void> {
    return this.#drained;
  }

  async close(): Promise<void> {
    this.#onEnd("closed");
    this.#stream.cancel();
    this.#client.close();
  }

  #onResponse(response: PushResponse): void {
    const key = answerKey(response);
    const awaited = this.#awaited.get(key);
    this.#awaited.delete(key);
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    if (this.#awaited.size > 0) this.#watchStall();
    awaited?.resolve(response.refused === "" ? {} : { refused: response.refused });
  }

  #onEnd(reason: string): void {
    clearTimeout(this.#stallTimer);
    for (const { reject } of this.#awaited.values()) reject(new Error(reason));
    this.#awaited.clear();
    this.#end(reason);
  }

  #watchStall(): void {
    this.#stallTimer ??= setTimeout(() => this.#onEnd("no acknowledgement in time"), STALLED_MS);
  }
}

function answerKey({ bootId, kind, sequence }: { bootId: string; kind: string; sequence: bigint }): string {
  return `${bootId}/${kind}/${sequence}`;
}

/** The PushRequest around an encoded report. */
function pushRequest(report: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = report.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  const out = new Uint8Array(1 + length.length + report.length);
  out[0] = REPORT_TAG;
  out.set(length, 1);
  out.set(report, 1 + length.length);
  return out;
}
