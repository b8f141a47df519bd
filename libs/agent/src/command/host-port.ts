import type { HostPort } from "./result.ts";

const HOST_PORT = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/;

/** A port from 1 to 65535, or undefined. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/**
 * HOST:PORT, [IPV6]:PORT, or PORT alone when `defaultHost` is given. Undefined if the text is none of them.
 */
export function parseHostPort(text: string, defaultHost?: string): HostPort | undefined {
  const match = HOST_PORT.exec(text);
  const port = parsePort(match?.[3] ?? "");
  const host = match?.[1] ?? match?.[2] ?? defaultHost;
  if (port === undefined || host === undefined || /\s/.test(host)) return undefined;
  return { host, port };
}

/** HOST:PORT with an IPv6 host in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
