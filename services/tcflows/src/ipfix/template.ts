import { OctetWriter } from "./octet-writer.ts";

/** An information element (IANA, IPFIX Entities). */
export interface InformationElement {
  readonly name: string;
  readonly id: number;
  /** Octets; `VARIABLE` where every record says its own. */
  readonly length: number;
}

/** RFC 7011 section 7. */
export const VARIABLE = 0xffff;

const element = (name: string, id: number, length: number): InformationElement => ({ name, id, length });

const START = element("flowStartNanoseconds", 156, 8);
const END = element("flowEndNanoseconds", 157, 8);
const PACKETS = element("packetDeltaCount", 2, 8);
const OCTETS = element("octetDeltaCount", 1, 8);
const FRAME_OCTETS = element("layer2OctetDeltaCount", 352, 8);
const DIRECTION = element("flowDirection", 61, 1);
const INGRESS = element("ingressInterface", 10, 4);
const EGRESS = element("egressInterface", 14, 4);
const END_REASON = element("flowEndReason", 136, 1);
const VLAN = element("vlanId", 58, 2);
const SOURCE_MAC = element("sourceMacAddress", 56, 6);
const DESTINATION_MAC = element("destinationMacAddress", 80, 6);
const INTERFACE = element("interfaceName", 82, VARIABLE);
const PROTOCOL = element("protocolIdentifier", 4, 1);
const DSCP = element("ipDiffServCodePoint", 195, 1);
const TCP_FLAGS = element("tcpControlBits", 6, 2);
const SOURCE_PORT = element("sourceTransportPort", 7, 2);
const DESTINATION_PORT = element("destinationTransportPort", 11, 2);
const ETHER_TYPE = element("ethernetType", 256, 2);

const COMMON = [START, END, PACKETS, OCTETS, FRAME_OCTETS, DIRECTION, INGRESS, EGRESS, END_REASON, VLAN] as const;
const LINK = [SOURCE_MAC, DESTINATION_MAC, INTERFACE] as const;
const TRANSPORT = [PROTOCOL, DSCP, TCP_FLAGS, SOURCE_PORT, DESTINATION_PORT] as const;

/** What the fields of a record are (RFC 7011 section 3.4.1). */
export interface Template {
  /** 256 or more; the id of the data sets, too. */
  readonly id: number;
  readonly elements: readonly InformationElement[];
}

/** The templates of this exporter, always the same. */
export const TEMPLATES = {
  ipv4: {
    id: 256,
    elements: [
      ...COMMON,
      ...LINK,
      ...TRANSPORT,
      element("icmpTypeCodeIPv4", 32, 2),
      element("sourceIPv4Address", 8, 4),
      element("destinationIPv4Address", 12, 4),
    ],
  },
  ipv6: {
    id: 257,
    elements: [
      ...COMMON,
      ...LINK,
      ...TRANSPORT,
      element("icmpTypeCodeIPv6", 139, 2),
      element("sourceIPv6Address", 27, 16),
      element("destinationIPv6Address", 28, 16),
    ],
  },
  /** What is not IP, and what found no room (flowEndReason 5): without addresses. */
  other: { id: 258, elements: [...COMMON, ...LINK, PROTOCOL, ETHER_TYPE] },
} as const satisfies Readonly<Record<string, Template>>;

const TEMPLATE_SET = 2;
const SET_HEADER = 4;

/** The set that tells all templates. */
export function templateSet(): Uint8Array {
  const body = new OctetWriter();
  for (const { id, elements } of Object.values(TEMPLATES)) {
    body.u16(id).u16(elements.length);
    for (const { id: elementId, length } of elements) body.u16(elementId).u16(length);
  }
  const records = body.octets();
  return new OctetWriter()
    .u16(TEMPLATE_SET)
    .u16(SET_HEADER + records.length)
    .bytes(records)
    .octets();
}
