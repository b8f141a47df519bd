// @kernels
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  type BpfObject,
  interfaceCounters,
  interfaceInfo,
  type LinkKind,
  BpfObject as Objects,
  probeFeature,
  removeStaleTc,
  tcxPrograms,
} from "@waymark/bpf-runtime";
import { describePrivileged, waitFor } from "@waymark/testkit";
import { type FeaturesSpec, featuresSpec } from "./bpf/features.gen.ts";
import { loadFeatures } from "./features.ts";

const NEAR = "wmt0";
const FAR = "wmt1";
const DEADLINE_MS = 10_000;
/** A filter of somebody else: classic BPF that accepts every packet and ends classification. */
const FOREIGN = ["bpf", "bytecode", "1,6 0 0 4294967295", "flowid", "1:1"];
const HOLDER = fileURLToPath(new URL("./fixtures/holder.ts", import.meta.url));
const withTcx = { tools: ["ip", "tc"], unless: () => (probeFeature("tcx").supported ? undefined : "needs TCX (6.6)") };

let bpf: BpfObject<FeaturesSpec>;
let ifindex: number;

function run(...argv: readonly string[]): string {
  const [file = "", ...args] = argv;
  return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function filters(direction: "ingress" | "egress"): string {
  return run("tc", "filter", "show", "dev", NEAR, direction);
}

function addForeign(direction: "ingress" | "egress", priority: number): void {
  run("tc", "filter", "add", "dev", NEAR, direction, "pref", String(priority), "protocol", "all", ...FOREIGN);
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
  return "none";
}

/** Sends frames from the far end of the pair, so that they come in at the near end. */
async function packetsArrive(): Promise<void> {
  const before = interfaceCounters(NEAR).rxPackets;
  // Neighbour discovery of a device that is set up sends packets by itself.
  run("ip", "link", "set", FAR, "down");
  run("ip", "link", "set", FAR, "up");
  await waitFor(() => interfaceCounters(NEAR).rxPackets > before, { deadlineMs: DEADLINE_MS, what: "packets" });
}

const holders: ChildProcess[] = [];

async function startHolder(...args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--conditions=source", "--import", "tsx", HOLDER, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  holders.push(child);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

function setUp(): void {
  run("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR);
  for (const device of [NEAR, FAR]) run("ip", "link", "set", device, "up");
  ifindex = interfaceInfo(NEAR).ifindex;
  bpf = loadFeatures();
}

function tearDown(): void {
  for (const child of holders.splice(0)) child.kill("SIGKILL");
  bpf.close();
  run("ip", "link", "del", NEAR);
}

describePrivileged("attached at TC", { tools: ["ip", "tc"] }, () => {
  beforeEach(setUp);
  afterEach(tearDown);

  test.each(["tcx", "clsact"] as const)("%s sees packets until it is closed", async (hook) => {
    if (hook === "tcx" && !probeFeature("tcx").supported) return;
    const link = bpf.program("features_count").attachTc({ ifindex, direction: "ingress", hook });
    expect(link.kind).toBe<LinkKind>(hook);
    await packetsArrive();
    await waitFor(() => bpf.data.get("runs") > 0n, { deadlineMs: DEADLINE_MS, what: "a packet seen" });
    link.close();
    link.close();
    expect(link.closed).toBe(true);
    const after = bpf.data.get("runs");
    await packetsArrive();
    expect(bpf.data.get("runs")).toBe(after);
  });

  test("auto takes TCX where there is one", () => {
    const expected = probeFeature("tcx").supported ? "tcx" : "clsact";
    expect(bpf.program("features_count").attachTc({ ifindex, direction: "egress" }).kind).toBe(expected);
  });

  test.each(["tcx", "clsact"] as const)("%s at an interface that is not there is a clear error", (hook) => {
    if (hook === "tcx" && !probeFeature("tcx").supported) return;
    const program = bpf.program("features_count");
    expect(codeOf(() => program.attachTc({ ifindex: 99_999, direction: "ingress", hook }))).toBe("BPF_NO_INTERFACE");
    expect(() => program.attachTc({ ifindex: 0, direction: "ingress", hook })).toThrow(RangeError);
  });

  test("TCX on a kernel without it names the kernel that has it", () => {
    const program = bpf.program("features_count");
    if (probeFeature("tcx").supported) return;
    expect(() => program.attachTcx({ ifindex, direction: "ingress" })).toThrow(
      "attach tcx features_count: the kernel lacks TCX links; Linux 6.6 or newer has it",
    );
    expect(codeOf(() => program.attachTc({ ifindex, direction: "ingress", hook: "tcx" }))).toBe("BPF_NOT_SUPPORTED");
  });

  test("closing the object detaches", () => {
    const link = bpf.program("features_count").attachTc({ ifindex, direction: "ingress", hook: "clsact" });
    expect(filters("ingress")).toContain("waymark/features_count");
    bpf.close();
    expect(link.closed).toBe(true);
    expect(run("tc", "qdisc", "show", "dev", NEAR)).not.toContain("clsact");
  });

  test("an interface that goes away does not disturb closing", () => {
    bpf.program("features_count").attachTc({ ifindex, direction: "ingress", hook: "clsact" });
    run("ip", "link", "del", NEAR);
    bpf.close();
    run("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR);
  });
});

describePrivileged("TCX", withTcx, () => {
  beforeEach(setUp);
  afterEach(tearDown);

  test("first comes before and last after what is there", () => {
    const id = (name: "features_count" | "features_emit" | "features_swap") => bpf.program(name).info().id;
    bpf.program("features_count").attachTcx({ ifindex, direction: "ingress" });
    bpf.program("features_emit").attachTcx({ ifindex, direction: "ingress", order: "first" });
    bpf.program("features_swap").attachTcx({ ifindex, direction: "ingress", order: "last" });
    expect(tcxPrograms(ifindex, "ingress")).toEqual([id("features_emit"), id("features_count"), id("features_swap")]);
    expect(tcxPrograms(ifindex, "egress")).toEqual([]);
  });

  test.each(["tcx", "xdp"])("a killed process leaves no %s link", async (hook) => {
    const child = await startHolder(NEAR, hook);
    const attached = () =>
      hook === "tcx" ? tcxPrograms(ifindex, "ingress").length : Number(run("ip", "link", "show", NEAR).includes("xdp"));
    expect(attached()).toBe(1);
    await kill(child);
    await waitFor(() => attached() === 0, { deadlineMs: DEADLINE_MS, what: "detached" });
  });
});

describePrivileged("clsact", { tools: ["ip", "tc"] }, () => {
  beforeEach(setUp);
  afterEach(tearDown);

  const attach = (order: "first" | "last" = "first", direction: "ingress" | "egress" = "ingress") =>
    bpf.program("features_count").attachTc({ ifindex, direction, order, hook: "clsact" });

  test("takes the lowest free priority first, the highest last, and says what is before it", () => {
    run("tc", "qdisc", "add", "dev", NEAR, "clsact");
    addForeign("ingress", 1);
    const first = attach("first");
    const last = attach("last");
    expect([first.priority, first.precededBy]).toEqual([2, 1]);
    expect([last.priority, last.precededBy]).toEqual([65_535, 2]);
    expect(attach("first", "egress").priority).toBe(1);
  });

  test("leaves a qdisc and filters of others as they were", () => {
    run("tc", "qdisc", "add", "dev", NEAR, "clsact");
    for (const direction of ["ingress", "egress"] as const) {
      addForeign(direction, 7);
    }
    const before = [filters("ingress"), filters("egress")];
    const links = [attach("first"), attach("first", "egress")];
    expect(filters("ingress")).not.toEqual(before[0]);
    for (const link of links) link.close();
    expect([filters("ingress"), filters("egress")]).toEqual(before);
    expect(run("tc", "qdisc", "show", "dev", NEAR)).toContain("clsact");
  });

  test("removes the qdisc that it made, unless somebody else uses it meanwhile", () => {
    attach().close();
    expect(run("tc", "qdisc", "show", "dev", NEAR)).not.toContain("clsact");
    const link = attach();
    addForeign("egress", 9);
    link.close();
    expect(filters("egress")).toContain("pref 9");
  });

  test("refuses egress where an ingress qdisc sits: the kernel would attach it at ingress", () => {
    run("tc", "qdisc", "add", "dev", NEAR, "ingress");
    expect(codeOf(() => attach("first", "egress"))).toBe("BPF_BUSY");
    expect(attach("first", "ingress").kind).toBe("clsact");
    bpf.close();
    expect(run("tc", "qdisc", "show", "dev", NEAR)).toContain("ingress");
  });

  test("a filter of a killed process is found and removed; others' and living ones stay", async () => {
    const stale = { ifindex, direction: "ingress", programName: "features_count" } as const;
    expect(removeStaleTc(stale)).toBe(0); // no qdisc at all
    const child = await startHolder(NEAR, "clsact");
    addForeign("ingress", 9);
    expect(removeStaleTc(stale)).toBe(0); // its process lives
    await kill(child);
    expect(filters("ingress")).toContain("waymark/features_count");
    const alive = attach("last");
    expect(removeStaleTc({ ...stale, programName: "features_emit" })).toBe(0);
    expect(removeStaleTc({ ...stale, direction: "egress" })).toBe(0);
    expect(removeStaleTc(stale)).toBe(1);
    expect(removeStaleTc(stale)).toBe(0);
    expect(filters("ingress")).toContain("pref 9");
    expect(filters("ingress")).toContain(`pref ${alive.priority} bpf`);
    expect(codeOf(() => removeStaleTc({ ...stale, ifindex: 99_999 }))).toBe("BPF_NO_INTERFACE");
  });

  test("process.exit removes it", async () => {
    const child = await startHolder(NEAR, "clsact", "exit");
    if (child.exitCode === null) await once(child, "exit");
    expect(run("tc", "qdisc", "show", "dev", NEAR)).not.toContain("clsact");
  });
});

describePrivileged("XDP", { tools: ["ip"] }, () => {
  beforeEach(setUp);
  afterEach(tearDown);

  test("generic mode sees packets until it is closed", async () => {
    using link = bpf.program("features_xdp").attachXdp({ ifindex, mode: "generic" });
    expect(link.kind).toBe("xdp-generic");
    expect(run("ip", "link", "show", NEAR)).toContain("xdpgeneric");
    await packetsArrive();
    await waitFor(() => bpf.data.get("runs") > 0n, { deadlineMs: DEADLINE_MS, what: "a packet seen" });
    link.close();
    expect(run("ip", "link", "show", NEAR)).not.toContain("xdp");
  });

  test("auto is native where the driver can, generic elsewhere", () => {
    expect(bpf.program("features_xdp").attachXdp({ ifindex }).kind).toBe("xdp-native");
    expect(bpf.program("features_xdp").attachXdp({ ifindex: 1 }).kind).toBe("xdp-generic");
  });

  test("native mode at a device that has none is not supported", () => {
    const program = bpf.program("features_xdp");
    expect(codeOf(() => program.attachXdp({ ifindex: 1, mode: "native" }))).toBe("BPF_NOT_SUPPORTED");
  });

  test("a second program is told that the place is taken", () => {
    bpf.program("features_xdp").attachXdp({ ifindex, mode: "generic" });
    using other = Objects.open(featuresSpec).load();
    for (const mode of ["generic", "auto"] as const) {
      expect(codeOf(() => other.program("features_xdp").attachXdp({ ifindex, mode }))).toBe("BPF_BUSY");
    }
    expect(codeOf(() => other.program("features_xdp").attachXdp({ ifindex: 99_999 }))).toBe("BPF_NO_INTERFACE");
  });
});
