import { connect, type NatsError } from "nats";
import { formatHostPort } from "../command/host-port.ts";
import { errorLine } from "../errors.ts";
import { CONNECT_TIMEOUT_MS, probe } from "./probe.ts";
import { reportId, reportSubject, stampReport } from "./queued-report.ts";
import { ANSWER_TIMEOUT_MS, type ConnectOptions, type Outcome, type ReportSession } from "./session.ts";

/** A server that does not answer two of these in a row is gone. */
const PING_INTERVAL_MS = 5_000;
/** A NATS server speaks first. */
const NOTHING = new Uint8Array();
/** JetStream: the message is bigger than the stream takes. */
const STREAM_MESSAGE_TOO_BIG = 10_054;

/** Connects to a NATS server; reports go to JetStream and count as stored when the stream says so. */
export async function connectNats({ endpoint, clientName, nowNs, signal }: ConnectOptions): Promise<ReportSession> {
  await probe(endpoint, NOTHING, signal);
  const connection = await connect({
    servers: formatHostPort({ host: endpoint.address, port: endpoint.port }),
    name: clientName,
    timeout: CONNECT_TIMEOUT_MS,
    // One place decides when to connect again: the delivery loop, which also knows the addresses.
    reconnect: false,
    ignoreClusterUpdates: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
  });
  const jetstream = connection.jetstream({ timeout: ANSWER_TIMEOUT_MS });
  return {
    async send(report): Promise<Outcome> {
      try {
        const bytes = stampReport(report, nowNs());
        await jetstream.publish(reportSubject(report), bytes, { msgID: reportId(report) });
        return {};
      } catch (error) {
        const refused = refusal(error as NatsError);
        if (refused !== undefined) return { refused };
        throw readable(error as NatsError);
      }
    },
    writable: () => Promise.resolve(),
    closed: connection.closed().then((error) => (error ? errorLine(error) : "connection closed")),
    close: () => connection.close(),
  };
}

/** Why the server will never take the message, or undefined. */
function refusal(error: NatsError): string | undefined {
  if (error.code === "MAX_PAYLOAD_EXCEEDED") return "bigger than the server takes";
  if (error.api_error?.err_code === STREAM_MESSAGE_TOO_BIG) return "bigger than the stream takes";
  return undefined;
}

function readable(error: NatsError): Error {
  if (error.code === "503" && error.api_error === undefined) {
    return new Error("no stream takes this subject", { cause: error });
  }
  if (error.code === "TIMEOUT") return new Error("no acknowledgement in time", { cause: error });
  return new Error(errorLine(error), { cause: error });
}
