import { tupleName } from "@waymark/packet";
import type { FlowmonKey } from "../bpf/flowmon.gen.ts";

/** Which way packets pass the interface. */
export type FlowDirection = "ingress" | "egress";

/** A flow on an interface. */
export interface FlowId {
  readonly interface: string;
  readonly direction: FlowDirection;
  /** 16 octets, IPv4 as ::ffff:a.b.c.d. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** IP protocol number. */
  readonly protocol: number;
  /** 0 where the packet has none, and for every fragment. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of ICMP; the identifier of an echo, else 0. */
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number } | undefined;
  /** Outermost tag; 0 without. */
  readonly vlan: number;
}

const ICMP = new Set([1, 58]);

/** The kernel's key, read. */
export function flowIdOf(key: FlowmonKey, device: string): FlowId {
  const isIcmp = ICMP.has(key.protocol);
  return {
    interface: device,
    direction: key.direction === 0 ? "ingress" : "egress",
    source: key.source,
    destination: key.destination,
    protocol: key.protocol,
    sourcePort: isIcmp ? 0 : key.source_port,
    destinationPort: isIcmp ? 0 : key.destination_port,
    icmp: isIcmp ? { type: key.source_port >> 8, code: key.source_port & 0xff, id: key.destination_port } : undefined,
    vlan: key.vlan,
  };
}

/** `udp 10.0.0.1:5000 > 10.0.0.2:53`, `icmp 10.0.0.1 > 10.0.0.2 type 8 id 7`, with ` vlan 5` where there is a tag. */
export function flowName(flow: FlowId): string {
  const { icmp, vlan } = flow;
  const id = icmp && icmp.id !== 0 ? ` id ${icmp.id}` : "";
  const kind = icmp ? ` type ${icmp.type}${icmp.code === 0 ? "" : ` code ${icmp.code}`}${id}` : "";
  return `${tupleName(flow)}${kind}${vlan === 0 ? "" : ` vlan ${vlan}`}`;
}
