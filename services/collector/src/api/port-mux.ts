import { createServer as createHttp1Server, type RequestListener } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";

/** Connections at once. */
const MAX_CONNECTIONS = 2000;
/** How long a connection may say nothing before its protocol is known. */
const FIRST_BYTES_MS = 10_000;
// No HTTP/1 method begins like the HTTP/2 connection preface (RFC 9113 section 3.4).
const PREFACE = Buffer.from("PRI");
const MAX_STREAMS = 250;
const GRACE_MS = 2_000;

/** A request handler that serves both versions of HTTP. */
export type AnyHttpHandler = RequestListener & ((request: Http2ServerRequest, response: Http2ServerResponse) => void);

/** One port for HTTP/1.1 and HTTP/2 without TLS (h2c with prior knowledge). */
export interface HttpPort {
  /** The port it listens on. */
  readonly port: number;
  /** Stops listening, lets requests finish for two seconds, then cuts what is left. */
  close(): Promise<void>;
}

/**
 * Listens with one handler for both versions of HTTP: what a connection says first decides which one it is.
 *
 * @param port 0 for any free one
 * @throws Error with `code` EADDRINUSE or EACCES when the port cannot be had
 */
export async function listenHttp(host: string, port: number, handler: AnyHttpHandler): Promise<HttpPort> {
  const http1 = createHttp1Server(handler);
  const http2 = createHttp2Server({ settings: { maxConcurrentStreams: MAX_STREAMS } }, handler);
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    handOver(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit("connection", socket));
  });
  server.maxConnections = MAX_CONNECTIONS;
  const bound = await listen(server, host, port);
  return {
    port: bound,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      http1.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, GRACE_MS);
      await closed;
      clearTimeout(timer);
      http1.close();
      http2.close();
    },
  };
}

function handOver(socket: Socket, emit: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const onError = () => socket.destroy();
  const onTimeout = () => socket.destroy();
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const maybe = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (maybe && length < PREFACE.length) return;
    socket.off("data", onData).off("error", onError).off("timeout", onTimeout);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(seen);
    emit(maybe);
    if (!maybe) socket.resume();
  };
  socket.on("error", onError);
  socket.setTimeout(FIRST_BYTES_MS, onTimeout);
  socket.on("data", onData);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const text = `listen on ${host}:${port}: ${error.code ?? error.message}`;
      reject(Object.assign(new Error(text, { cause: error }), { code: error.code }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
