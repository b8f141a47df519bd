import type { BpfObject } from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";
import type { FeaturesSpec } from "./bpf/features.gen.ts";
import { loadFeatures, PACKET_BYTES } from "./features.ts";

const TC_ACT_UNSPEC = -1;
const XDP_PASS = 2;

let bpf: BpfObject<FeaturesSpec>;

describePrivileged("a test run", () => {
  beforeEach(() => {
    bpf = loadFeatures();
  });
  afterEach(() => bpf.close());

  test("answers verdict, packet and time", () => {
    const data = Uint8Array.from({ length: 100 }, (_, index) => index);
    const run = bpf.program("features_count").testRun({ data, repeat: 10 });
    expect(run.retval).toBe(TC_ACT_UNSPEC);
    expect(run.data).toEqual(data);
    expect(run.durationNs).toBeGreaterThan(0);
    expect(run.ctx).toBeUndefined();
    expect(bpf.data.get("runs")).toBe(10n);
    expect(bpf.map("totals").sum(0)).toEqual({ packets: 10n, bytes: 1000n });
  });

  test("needs no packet to start something", () => {
    expect(bpf.program("features_count").testRun()).toMatchObject({ retval: TC_ACT_UNSPEC, data: new Uint8Array(0) });
    expect(bpf.map("table").get(0)).toEqual({ packets: 1n, bytes: BigInt(PACKET_BYTES) });
  });

  test("hands skb fields in and out", () => {
    const ctx = { mark: 7, priority: 3, gso_segs: 4, gso_size: 1000, tstamp: 5n };
    const run = bpf.program("features_count").testRun({ ctx });
    expect(run.ctx).toMatchObject({ ...ctx, ifindex: 1 });
    expect(bpf.map("table").get(7)?.packets).toBe(1n);
  });

  test("refuses fields that the kernel does not take", () => {
    const program = bpf.program("features_count");
    expect(() => program.testRun({ ctx: { vlan: 1 } as object })).toThrow("a test run takes no vlan");
    expect(() => program.testRun({ ctx: { mark: -1 } })).toThrow(RangeError);
    expect(() => program.testRun({ ctx: { ifindex: 99_999 } })).toThrow(/test run features_count with 64 octets/);
  });

  test("a packet without a whole Ethernet header is none", () => {
    expect(() => bpf.program("features_count").testRun({ data: new Uint8Array(13) })).toThrow(/EINVAL/);
  });

  test("runs XDP programs as well", () => {
    const run = bpf.program("features_xdp").testRun({ data: new Uint8Array(64), repeat: 5 });
    expect(run.retval).toBe(XDP_PASS);
    expect(bpf.data.get("runs")).toBe(5n);
  });

  test("leaves the packet in the kernel if it is not wanted", () => {
    expect(bpf.program("features_count").testRun({ data: new Uint8Array(60), dataSizeOut: 0 }).data).toHaveLength(0);
  });
});
