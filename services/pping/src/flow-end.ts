import { formatAddress } from "@waymark/packet";
import type { PpingEvent } from "../bpf/pping.gen.ts";
import { protocolText } from "./protocol-text.ts";

/** One direction of a flow as it is told: its far end first. */
export interface FlowEnd {
  /** Of the flow, both directions; never used again. */
  readonly flowId: number;
  /** 0 or 1: which direction of the flow is measured. */
  readonly direction: number;
  readonly protocol: number;
  /** 16 octets each, IPv4 mapped. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly vlanId: number;
  /** `TCP`, `ICMPv6`, `17`. */
  readonly protocolText: string;
  readonly sourceText: string;
  readonly destinationText: string;
  /** `10.11.1.1:5201+10.11.1.2:59528` */
  readonly text: string;
}

/** The flow of a kernel record. */
export function flowEndOf(event: PpingEvent): FlowEnd {
  const [sourceText, destinationText] = [formatAddress(event.source), formatAddress(event.destination)];
  return {
    flowId: Number(event.flow_id),
    direction: event.direction,
    protocol: event.protocol,
    source: event.source.slice(),
    destination: event.destination.slice(),
    sourcePort: event.source_port,
    destinationPort: event.destination_port,
    vlanId: event.vlan_id,
    protocolText: protocolText(event.protocol),
    sourceText,
    destinationText,
    text: `${sourceText}:${event.source_port}+${destinationText}:${event.destination_port}`,
  };
}
