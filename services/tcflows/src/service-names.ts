import { readFileSync } from "node:fs";
import { IP_PROTOCOL } from "@waymark/packet";

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [IP_PROTOCOL.tcp]: "tcp",
  [IP_PROTOCOL.udp]: "udp",
  [IP_PROTOCOL.sctp]: "sctp",
  [IP_PROTOCOL.dccp]: "dccp",
};
const LINE = /^([A-Za-z0-9][A-Za-z0-9._+-]*)\s+(\d{1,5})\/([a-z]+)/;

/** Names of ports, as services(5) has them. */
export class ServiceNames {
  readonly #names = new Map<string, string>();

  /** @param text of /etc/services; the first name of a port counts */
  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [, name, port, protocol] = LINE.exec(line) ?? [];
      const key = `${Number(port)}/${protocol}`;
      if (name !== undefined && !this.#names.has(key)) this.#names.set(key, name);
    }
  }

  /** Those of this host; none where it has no such file. */
  static ofHost(path = "/etc/services"): ServiceNames {
    try {
      return new ServiceNames(readFileSync(path, "latin1"));
    } catch {
      return new ServiceNames(""); // a host without it has no names
    }
  }

  /** The name of a port of an IP protocol. */
  port(port: number, protocol: number): string | undefined {
    return this.#names.get(`${port}/${PROTOCOL_NAMES[protocol]}`);
  }
}
