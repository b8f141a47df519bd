import { parseAddress } from "@waymark/packet";
import { TcflowsDirection, type TcflowsKey, tcflowsKey } from "../bpf/tcflows.gen.ts";
import type { FlowId } from "../src/flow-key.ts";

const EMPTY: TcflowsKey = {
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  source_port: 0,
  destination_port: 0,
  protocol: 0,
  direction: TcflowsDirection.TCFLOWS_EGRESS,
  vlan_id: 0,
  ether_type: 0,
  icmp_type: 0,
  icmp_code: 0,
  icmp_id: 0,
  version: 0,
};

/** The octets of a kernel key as text. */
export function idOfKey(key: Partial<TcflowsKey>): FlowId {
  const octets = new Uint8Array(tcflowsKey.size);
  tcflowsKey.encode(new DataView(octets.buffer), 0, { ...EMPTY, ...key }, "key");
  return Buffer.from(octets).toString("latin1");
}

/** A flow of IP between `ADDRESS:PORT` and `ADDRESS:PORT` (IPv6 in brackets). */
export function ipFlow(protocol: number, from: string, to: string, key: Partial<TcflowsKey> = {}): FlowId {
  const [source, source_port] = end(from);
  const [destination, destination_port] = end(to);
  const version = from.startsWith("[") ? 6 : 4;
  return idOfKey({ source, destination, source_port, destination_port, protocol, version, ...key });
}

function end(text: string): readonly [Uint8Array, number] {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const address = parseAddress(bracketed ?? plain ?? "");
  if (!address) throw new RangeError(`${text} is not ADDRESS:PORT`);
  return [address, Number(port)];
}
