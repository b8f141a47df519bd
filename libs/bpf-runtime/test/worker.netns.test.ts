import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { interfaceInfo } from "@waymark/bpf-runtime";
import { describePrivileged, waitFor } from "@waymark/testkit";
import { loadFeatures } from "./features.ts";

const DEADLINE_MS = 10_000;
const LO = "lo";

function start(rounds: number): Worker {
  return new Worker(new URL("./fixtures/worker.ts", import.meta.url), {
    execArgv: ["--conditions=source", "--import", "tsx"],
    workerData: { rounds, ifindex: interfaceInfo(LO).ifindex },
  });
}

describePrivileged("workers", { tools: ["tc"] }, () => {
  test("two and the main thread work side by side, and what they leave open is closed when they end", async () => {
    const filters = () => execFileSync("tc", ["filter", "show", "dev", LO, "egress"], { encoding: "utf8" });
    using bpf = loadFeatures();
    const workers = [start(200), start(201)];
    const results = workers.map((worker) => once(worker, "message"));
    bpf.program("features_count").testRun({ repeat: 10 });
    const [first, second] = (await Promise.all(results)).map(([message]) => message as object);
    expect(first).toEqual({ records: 200, runs: 200n });
    expect(second).toEqual({ records: 201, runs: 201n });
    expect(bpf.data.get("runs")).toBe(10n);
    expect(filters()).toContain("waymark/features_count");
    await Promise.all(workers.map((worker) => worker.terminate()));
    await waitFor(() => !filters().includes("waymark"), { deadlineMs: DEADLINE_MS, what: "filters removed" });
  });
});
