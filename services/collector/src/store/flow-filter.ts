import { type AddressRange, Conditions } from "./conditions.ts";
import { FLOW_COLUMNS, SEEN_ON } from "./flow-columns.ts";
import type { Item } from "./kind-table.ts";

/** Which flows to answer; what is empty, 0 or undefined does not filter. */
export interface FlowFilter {
  readonly agent: string;
  readonly interface: string;
  /** At either end. */
  readonly address: AddressRange | undefined;
  readonly sourceAddress: AddressRange | undefined;
  readonly destinationAddress: AddressRange | undefined;
  /** At either end. */
  readonly port: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: number | undefined;
  /** What begins at or after this. */
  readonly fromNs: bigint;
  /** What begins before this. */
  readonly toNs: bigint;
}

/** The columns that tell flows apart, `SEEN_ON` as `seen_on` among them. */
export const FLOW_IDENTITY = Object.keys(FLOW_COLUMNS)
  .map((column) => (column === "flow_interface" ? "seen_on" : column))
  .join(", ");

/** The filter's conditions on rows of one item that begin in the filter's time. */
export function flowConditions(item: Item, filter: FlowFilter): Conditions {
  return flowIdentityConditions(item, filter).add("from_ns >= {from_ns:UInt64} AND from_ns < {to_ns:UInt64}", {
    from_ns: filter.fromNs,
    to_ns: filter.toNs,
  });
}

/** The filter's conditions but for the time. */
export function flowIdentityConditions(item: Item, filter: FlowFilter): Conditions {
  const conditions = new Conditions()
    .add(`item = '${item}'`)
    .equal("agent", "agent", "String", filter.agent)
    .equal("interface", SEEN_ON, "String", filter.interface)
    .within("address", ["source_address", "destination_address"], filter.address)
    .within("source", ["source_address"], filter.sourceAddress)
    .within("destination", ["destination_address"], filter.destinationAddress)
    .equal("source_port", "source_port", "UInt16", filter.sourcePort)
    .equal("destination_port", "destination_port", "UInt16", filter.destinationPort);
  if (filter.address ?? filter.sourceAddress ?? filter.destinationAddress) conditions.add("addressed");
  if (filter.port !== 0)
    conditions.add("source_port = {port:UInt16} OR destination_port = {port:UInt16}", { port: filter.port });
  if (filter.protocol !== undefined)
    conditions.add("protocol = {protocol:UInt8} AND ether_type = 0", { protocol: filter.protocol });
  return conditions;
}
