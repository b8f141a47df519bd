import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BpfObject, VerifierError } from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";
import { featuresSpec } from "./bpf/features.gen.ts";
import { refusedSpec } from "./bpf/refused.gen.ts";
import { countMarks, loadFeatures } from "./features.ts";

const CONFIG = { limit: 9n, step: 40, enabled: 1 };

/** What `body` throws. */
function errorOf(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  return undefined;
}

describePrivileged("an object", () => {
  test("shows its programs the constants that were set before load", () => {
    using open = BpfObject.open(featuresSpec);
    open.rodata.set({ config: CONFIG, ports: [0, 0, 0, 2] });
    open.data.set({ seed: 11 });
    using bpf = open.load();
    const run = bpf.program("features_config").testRun({ ctx: { mark: 1 } });
    expect(run).toMatchObject({ retval: 0, ctx: { mark: 42, priority: 11 } });
    expect(bpf.rodata.get("config")).toEqual(CONFIG);
  });

  test("leaves variables that were not set as compiled", () => {
    using bpf = loadFeatures();
    expect(bpf.program("features_config").testRun({ ctx: { mark: 1 } })).toMatchObject({
      retval: -1,
      ctx: { mark: 1 },
    });
    expect(bpf.data.get("seed")).toBe(7);
  });

  test("shares variables with its running programs, both ways", () => {
    using bpf = loadFeatures();
    countMarks(bpf, [1, 2, 3]);
    expect(bpf.data.get("runs")).toBe(3n);
    bpf.data.set({ runs: 100n, origin: { x: -5, y: 6 } });
    countMarks(bpf, [1]);
    expect(bpf.data.get("runs")).toBe(101n);
    expect(bpf.data.get("origin")).toEqual({ x: -5, y: 6 });
  });

  test("sets none of several variables if one does not fit", () => {
    using bpf = loadFeatures();
    expect(() => bpf.data.set({ runs: 5n, seed: -1 })).toThrow(/seed: -1 is not in 0 to 4294967295/);
    expect(bpf.data.get("runs")).toBe(0n);
  });

  test("does not know a variable that is not in the C", () => {
    using bpf = loadFeatures();
    expect(() => bpf.data.set({ absent: 1n } as object)).toThrow(/features has no variable absent/);
    expect(() => bpf.data.get("constructor" as "runs")).toThrow(TypeError);
  });

  test("is used up by load and cannot be loaded twice", () => {
    const open = BpfObject.open(featuresSpec);
    using _ = open.load();
    expect(errorOf(() => open.load())).toMatchObject({ code: "BPF_CLOSED" });
    expect(errorOf(() => open.rodata.set({ config: CONFIG }))).toMatchObject({ code: "BPF_CLOSED" });
    expect(errorOf(() => open.map("table").setMaxEntries(1))).toMatchObject({ code: "BPF_CLOSED" });
    open.close(); // nothing left to close
  });

  test("refuses everything after close, and closes twice without harm", () => {
    const bpf = loadFeatures();
    const table = bpf.map("table");
    const totals = bpf.map("totals");
    const program = bpf.program("features_count");
    const { data } = bpf;
    bpf.close();
    bpf.close();
    for (const use of [
      () => bpf.map("table"),
      () => bpf.program("features_count"),
      () => bpf.ringBuffer("events"),
      () => table.get(1),
      () => table.set(1, { packets: 0n, bytes: 0n }),
      () => [...table.drain()],
      () => totals.sum(0),
      () => program.testRun(),
      () => program.attachTcx({ ifindex: 1, direction: "ingress" }),
      () => data.get("runs"),
    ]) {
      expect(errorOf(use)).toMatchObject({ code: "BPF_CLOSED" });
    }
  });

  test("leaves out a program that is not wanted", () => {
    using open = BpfObject.open(featuresSpec);
    open.program("features_xdp").setAutoload(false);
    using bpf = open.load();
    expect(() => bpf.program("features_xdp")).toThrow(/features_xdp: not loaded/);
    expect(bpf.program("features_count").info().instructions).toBeGreaterThan(10);
  });

  test("gives no descriptor away: a hundred objects later there are as many as before", async () => {
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/proc/self/fd").length;
    loadFeatures().close();
    const before = count();
    for (let round = 0; round < 100; round++) loadFeatures().close();
    expect(count()).toBeLessThanOrEqual(before);
  });
});

describePrivileged("a load that fails", () => {
  test("says in one line what the verifier did not like, and keeps the whole log", () => {
    using open = BpfObject.open(refusedSpec);
    const error = errorOf(() => open.load());
    expect(error).toBeInstanceOf(VerifierError);
    expect(error).toMatchObject({ code: "BPF_VERIFIER", program: "refused_read", operation: "load" });
    expect((error as VerifierError).message).toMatch(/^load refused_read: .*packet.*\(EACCES\)$/);
    expect((error as VerifierError).log.split("\n").length).toBeGreaterThan(4);
  });

  test("names an object that was not built, and one that is none", () => {
    expect(errorOf(() => BpfObject.open({ ...featuresSpec, objectPath: "/absent.bpf.o" }))).toMatchObject({
      code: "BPF_NOT_BUILT",
      message: "open /absent.bpf.o: not built; run npm run build -w libs/bpf-runtime",
    });
    const objectPath = join(mkdtempSync(join(tmpdir(), "waymark-")), "text.bpf.o");
    writeFileSync(objectPath, "not an object");
    expect(errorOf(() => BpfObject.open({ ...featuresSpec, objectPath }))).toMatchObject({ code: "BPF_BAD_OBJECT" });
  });

  test("refuses an object that is not the one its module was generated from", () => {
    const { maps } = featuresSpec;
    const stale = { ...featuresSpec, maps: { ...maps, table: { ...maps.table, value: maps.by_key.value } } } as const;
    using open = BpfObject.open(stale);
    expect(errorOf(() => open.load())).toMatchObject({
      code: "BPF_BAD_OBJECT",
      message: "load features: map table is not as generated; run npm run generate -w libs/bpf-runtime",
    });
  });

  test("tells an ordinary user what is needed", () => {
    const fixture = fileURLToPath(new URL("./fixtures/unprivileged.ts", import.meta.url));
    // Root without a capability: as powerless as anybody, but it can read the checkout wherever that is.
    const powerless = ["--bounding-set=-all", "--inh-caps=-all", "--"];
    const node = [process.execPath, "--conditions=source", "--import", "tsx", fixture];
    const child = spawnSync("setpriv", [...powerless, ...node], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], TMPDIR: tmpdir() },
    });
    expect(child.stderr).toBe("");
    const { load, tcx } = JSON.parse(child.stdout) as { readonly load: object; readonly tcx: object };
    expect(load).toMatchObject({ code: "BPF_NOT_PERMITTED" });
    expect(load).toMatchObject({ message: expect.stringContaining("root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON") });
    expect(tcx).toMatchObject({ supported: false, reason: expect.stringMatching(/not permitted/) });
  });
});
