import { parseHostPort } from "@waymark/agent";

/** An IPFIX collector. */
export interface IpfixTarget {
  readonly transport: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
  /** As the user would write it in full. */
  readonly url: string;
}

const FORM = /^(?:(udp|tcp):\/\/)?(.+)$/;

/** Reads `HOST:PORT`, `udp://HOST:PORT` (the same) or `tcp://HOST:PORT`; undefined for anything else. */
export function parseIpfixTarget(text: string): IpfixTarget | undefined {
  const [, scheme, rest = ""] = FORM.exec(text) ?? [];
  const address = parseHostPort(rest);
  if (!address || rest.includes("/")) return undefined;
  const transport = scheme === "tcp" ? "tcp" : "udp";
  return { transport, ...address, url: `${transport}://${rest}` };
}

/** What is wrong with the text, or undefined. */
export function ipfixTargetProblem(text: string): string | undefined {
  return parseIpfixTarget(text) ? undefined : "is not HOST:PORT, udp://HOST:PORT or tcp://HOST:PORT";
}
