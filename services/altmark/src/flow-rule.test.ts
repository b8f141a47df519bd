import { FlowRuleError, overlapOfPaths, parseFlowRule, ruleHash } from "./flow-rule.ts";

const parse = (text: string, paths: readonly string[] = ["default"]) => parseFlowRule(text, paths);

test("all parts, in any order", () => {
  const rule = parse("web=proto=tcp,dport=443,dst=192.0.2.0/24,src=198.51.100.7,sport=1024");
  expect(rule).toMatchObject({ path: "default", flow: "web", protocol: 6, destinationPort: 443, sourcePort: 1024 });
  expect(rule.destination?.prefixLength).toBe(24);
  expect(rule.source?.prefixLength).toBe(32);
});

test("a name alone matches everything", () => {
  expect(parse("all=")).toEqual({ path: "default", flow: "all" });
});

test.each([
  ["dst=10.0.0.0/8", /"10.0.0.0\/8" is not src=, dst=/],
  ["=dst=10.0.0.0/8", /no name/],
  ["web=10.0.0.0/8", /"10.0.0.0\/8" is not src=, dst=/],
  ["web=dst=10.0.0.1/8", /did you mean 10.0.0.0\/8/],
  ["web=dst=10.0.0.0/33", /prefix length/],
  ["web=src=10.0.0.0/8,dst=2001:db8::/32", /IPv4 and dst IPv6/],
  ["web=proto=256", /proto=256/],
  ["web=proto=tpc", /proto=tpc/],
  ["web=dport=0", /dport=0/],
  ["web=dport=65536", /65536/],
  ["web=dport=1,dport=2", /twice/],
  ["web=color=red", /"color=red"/],
  ["other=proto=udp", /"other"/],
  ["a b=proto=udp", /"a b"/],
])("%s is refused with the part that is wrong", (text, message) => {
  expect(() => parse(text)).toThrow(FlowRuleError);
  expect(() => parse(text)).toThrow(message);
});

test("with several paths a rule names its own", () => {
  expect(parse("b/web=proto=tcp", ["a", "b"])).toMatchObject({ path: "b", flow: "web" });
  expect(() => parse("web=proto=tcp", ["a", "b"])).toThrow(/PATH\/web/);
  expect(() => parse("c/web=proto=tcp", ["a", "b"])).toThrow(/no --path c/);
});

test("the hash tells rules, their order and --per-flow apart, and nothing else", () => {
  const a = parse("web=dst=192.0.2.0/24,proto=tcp");
  const b = parse("dns=proto=udp,dport=53");
  const all = [ruleHash([a, b], false), ruleHash([b, a], false), ruleHash([a], false), ruleHash([a, b], true)];
  expect(new Set(all).size).toBe(4);
  expect(ruleHash([parse("web=proto=6,dst=192.0.2.0/24")], false)).toBe(ruleHash([a], false));
});

test("paths are told apart by disjoint CIDRs alone", () => {
  const rules = (...texts: string[]) => texts.map((text) => parse(text, ["a", "b"]));
  expect(overlapOfPaths(rules("a/x=dst=10.1.0.0/16", "b/x=dst=10.2.0.0/16"))).toBeUndefined();
  expect(overlapOfPaths(rules("a/x=dst=10.1.0.0/16", "b/x=dst=2001:db8::/32"))).toBeUndefined();
  expect(overlapOfPaths(rules("a/x=src=10.1.0.0/16", "b/x=dst=10.2.0.0/16"))).toBeDefined();
  expect(overlapOfPaths(rules("a/x=dst=10.0.0.0/8", "b/x=dst=10.2.0.0/16"))).toBeDefined();
  expect(overlapOfPaths(rules("a/x=proto=tcp", "b/x=proto=udp"))).toBeDefined();
});
