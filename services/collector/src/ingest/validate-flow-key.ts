import { Direction, type FlowKey } from "@waymark/proto/report";
import { isName } from "./fields.ts";
import { check } from "./refusal.ts";

const MAX_INTERFACE_LENGTH = 64;
const MAX_8_BITS = 0xff;
const MAX_16_BITS = 0xffff;
const MAX_VLAN_ID = 0xfff;
const ADDRESS_OCTETS = 16;

/** @throws Refusal unless it can be the key of a flow */
export function validateFlowKey(key: FlowKey | undefined): asserts key is FlowKey {
  check(key !== undefined, "flow", "a record without a flow");
  const { sourceAddress, destinationAddress } = key;
  check(isAddressOrNone(sourceAddress), "flow", `source_address of ${sourceAddress.length} octets`);
  check(isAddressOrNone(destinationAddress), "flow", `destination_address of ${destinationAddress.length} octets`);
  check(sourceAddress.length === destinationAddress.length, "flow", "a flow with one address");
  const where = sourceAddress.length > 0 || key.etherType !== 0 || key.overflow;
  check(where, "flow", "a flow without addresses that is neither of another ether_type nor overflow");
  const octets = Math.max(key.protocol, key.icmpType, key.icmpCode);
  check(octets <= MAX_8_BITS, "flow", "protocol, icmp_type or icmp_code is more than 255");
  const words = Math.max(key.sourcePort, key.destinationPort, key.icmpId, key.etherType);
  check(words <= MAX_16_BITS, "flow", "a port, icmp_id or ether_type is more than 65535");
  check(key.vlanId <= MAX_VLAN_ID, "flow", `vlan_id ${key.vlanId} is more than 4095`);
  const named = key.interface === "" || isName(key.interface, MAX_INTERFACE_LENGTH);
  check(named, "flow", "a flow's interface is not 64 printable characters");
  const known = key.direction >= Direction.UNSPECIFIED && key.direction <= Direction.EGRESS;
  check(known, "flow", `direction ${key.direction} is unknown`);
}

/** Whether it is an IP address of 16 octets. */
export function isAddress(address: Uint8Array): boolean {
  return address.length === ADDRESS_OCTETS;
}

function isAddressOrNone(address: Uint8Array): boolean {
  return address.length === 0 || isAddress(address);
}
