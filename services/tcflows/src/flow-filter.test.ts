import { cidrContains, parseAddress } from "@waymark/packet";
import fc from "fast-check";
import { type TcflowsKey, tcflowsKey } from "../bpf/tcflows.gen.ts";
import { type FlowFilter, kernelRules, kernelRulesOf, parseFlowFilter } from "./flow-filter.ts";

test.each([
  ["proto=tcp,port=443", { protocol: 6, port: 443 }],
  ["proto=89", { protocol: 89 }],
  ["vlan=7,ethertype=0x0806", { vlanId: 7, etherType: 0x0806 }],
  ["sport=1, dport=65535", { sourcePort: 1, destinationPort: 65_535 }],
])("reads %s", (text, filter) => {
  expect(parseFlowFilter(text)).toEqual(filter);
});

test.each([
  ["", /"" is not NAME=VALUE/],
  ["tcp", /"tcp" is not NAME=VALUE/],
  ["proto=tpc", /proto=tpc: not a number from 0 to 255/],
  ["port=0", /port=0: not a number from 1 to 65535/],
  ["port=65536", /from 1 to 65535/],
  ["src=10.0.0.1/8", /10\.0\.0\.0\/8/],
  ["source=10.0.0.1", /there is no such part; there are src/],
  ["port=1,port=2", /port is there twice/],
  ["host=10.0.0.1,src=10.0.0.2", /either end/],
  ["ethertype=0x0806,proto=udp", /not IP/],
  ["src=10.0.0.1,dst=fd00::1", /different versions/],
])("refuses %j and says why", (text, message) => {
  expect(() => parseFlowFilter(text)).toThrow(message);
});

test("more rules than the programs look through are refused", () => {
  const filters = Array.from({ length: 17 }, (_, i) => parseFlowFilter(`host=10.0.0.${i},port=${i + 1}`));
  expect(() => kernelRulesOf(filters)).toThrow(/17 --filter become 68 rules, more than 64/);
  expect(kernelRulesOf(filters.slice(1))).toHaveLength(64);
});

const ADDRESSES = ["10.0.0.1", "10.0.1.1", "192.0.2.9", "2001:db8::1", "2001:db8:1::1"];
const CIDRS = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1", "0.0.0.0/0", "2001:db8::/32", "2001:db8:1::/48", "::/0"];
const some = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const filterText = fc
  .record({
    src: some(CIDRS),
    dst: some(CIDRS),
    host: some(CIDRS),
    proto: some(["tcp", "udp", "0"]),
    sport: some([1, 2]),
    dport: some([1, 2]),
    port: some([1, 2]),
    vlan: some([5]),
    ethertype: some([0x806]),
  })
  .map(({ host, port, ...rest }) => ({
    ...(host === undefined ? rest : { ...rest, src: undefined, dst: undefined, host }),
    ...(port === undefined ? {} : { sport: undefined, dport: undefined, port }),
  }))
  .map(({ ethertype, vlan, ...parts }) => (ethertype === undefined ? { ...parts, vlan } : { ethertype, vlan }))
  .map((parts) => Object.entries(parts).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])))
  .filter((parts) => parts.length > 0)
  .map((parts) => parts.join(","))
  .filter((text) => !(text.includes("0.0") && /(src|dst)=(2001|::)/.test(text)));

const NO_KEY = { direction: 2, icmp_type: 0, icmp_code: 0, icmp_id: 0 };
const key: fc.Arbitrary<TcflowsKey> = fc.oneof(
  fc
    .record({
      ends: fc.constantFrom(...ADDRESSES.flatMap((a) => ADDRESSES.map((b) => [a, b] as const))),
      protocol: fc.constantFrom(0, 6, 17),
      source_port: fc.constantFrom(0, 1, 2),
      destination_port: fc.constantFrom(0, 1, 2),
      vlan_id: fc.constantFrom(0, 5),
    })
    .filter(({ ends: [a, b] }) => a.includes(":") === b.includes(":"))
    .map(({ ends: [a, b], ...rest }) => ({
      ...NO_KEY,
      ...rest,
      source: parseAddress(a) ?? new Uint8Array(16),
      destination: parseAddress(b) ?? new Uint8Array(16),
      ether_type: 0,
      version: a.includes(":") ? 6 : 4,
    })),
  fc.record({ vlan_id: fc.constantFrom(0, 5), ether_type: fc.constantFrom(0x806, 0x88cc) }).map((rest) => ({
    ...NO_KEY,
    ...rest,
    source: new Uint8Array(16),
    destination: new Uint8Array(16),
    source_port: 0,
    destination_port: 0,
    protocol: 0,
    version: 0,
  })),
);

/** What the kernel does. */
function kernelMatches(filter: FlowFilter, flow: TcflowsKey): boolean {
  const view = new DataView(new ArrayBuffer(tcflowsKey.size));
  tcflowsKey.encode(view, 0, flow, "key");
  return kernelRules(filter).some((rule) =>
    rule.mask.every((mask, i) => (view.getBigUint64(8 * i, true) & mask) === rule.value[i]),
  );
}

/** What the words say. */
function plainlyMatches(filter: FlowFilter, flow: TcflowsKey): boolean {
  const isIp = flow.version !== 0;
  const within = (cidr: FlowFilter["host"], ...addresses: Uint8Array[]) =>
    cidr === undefined || (isIp && addresses.some((address) => cidrContains(cidr, address)));
  const equal = (wanted: number | undefined, ...values: number[]) => wanted === undefined || values.includes(wanted);
  return (
    within(filter.source, flow.source) &&
    within(filter.destination, flow.destination) &&
    within(filter.host, flow.source, flow.destination) &&
    equal(filter.sourcePort, flow.source_port) &&
    equal(filter.destinationPort, flow.destination_port) &&
    equal(filter.port, flow.source_port, flow.destination_port) &&
    (filter.protocol === undefined || (isIp && filter.protocol === flow.protocol)) &&
    equal(filter.vlanId, flow.vlan_id) &&
    equal(filter.etherType, flow.ether_type)
  );
}

test("the kernel's rules are what the words say", () => {
  fc.assert(
    fc.property(filterText, fc.array(key, { minLength: 1, maxLength: 30 }), (text, flows) => {
      const filter = parseFlowFilter(text);
      for (const flow of flows) expect(kernelMatches(filter, flow)).toBe(plainlyMatches(filter, flow));
    }),
    { numRuns: 500 },
  );
});
