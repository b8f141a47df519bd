import { readFileSync, renameSync } from "node:fs";
import { BpfObject, interfaceInfo, tcxPrograms } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { describePrivileged, exec, type ManagedProcess, NetLab, ping, waitFor } from "@waymark/testkit";
import { samplesOf } from "./event-lines.ts";
import { DEVICE, FAR, FAR6, measuring, pping, twoHosts } from "./two-hosts.ts";

const DEADLINE_MS = 20_000;

/** Exit code, and what it said on standard error. */
async function ended(child: ManagedProcess): Promise<{ code: number | null; said: readonly string[] }> {
  const { code } = await child.exited;
  return { code, said: child.stderr };
}

const lines = (path: string) => readFileSync(path, "utf8").trim().split("\n");

describePrivileged("the pping command", { tools: ["jq"] }, () => {
  test("what is wrong ends it with one clear line", async () => {
    await using hosts = await twoHosts();
    const cases = [
      [["-i", DEVICE, "-r", "ten"], 2, /ten/],
      [["-i", DEVICE, "-a", "1", "-F", "ppviz"], 2, /ppviz/],
      [["-i", DEVICE, "-w", "/nowhere/out"], 2, /\/nowhere\/out/],
      [["-i", "eth9"], 1, /eth9/],
      [["-i", "lo", "-I", "xdp"], 3, /native|XDP|xdp/],
    ] as const;
    const ends = await Promise.all(cases.map(([argv]) => ended(pping(hosts.near, ...argv))));
    for (const [i, [, code, message]] of cases.entries()) {
      expect(ends[i]).toEqual({ code, said: [expect.stringMatching(message)] });
    }
    // Root without a capability: it can read the checkout wherever that is, and nothing more.
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    const { argv } = pping(hosts.near, "--version");
    const unprivileged = await ended(hosts.near.spawn([...drop, ...argv.slice(4, 6), "-i", DEVICE]));
    expect(unprivileged).toEqual({ code: 3, said: [expect.stringMatching(/root|CAP_BPF/)] });
  }, 60_000);

  test("JSON arrays are whole after SIGTERM on standard output, and after SIGKILL in a file", async () => {
    await using hosts = await twoHosts();
    const file = `${hosts.lab.folder}/killed.json`;
    const [terminated, killed] = await Promise.all([
      measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0", "-F", "json")),
      measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0", "-F", "json", "-w", file)),
    ]);
    await ping(hosts.near, FAR, { count: 10 });
    await waitFor(() => readFileSync(file, "utf8").split('"rtt"').length === 11, { deadlineMs: DEADLINE_MS });
    killed.signal("SIGKILL");
    await killed.exited;
    expect(await terminated.stop()).toEqual({ code: 0, signal: null });
    const [told, kept] = [JSON.parse(terminated.stdout.join("")), JSON.parse(readFileSync(file, "utf8"))];
    const rtts = (events: { rtt?: number }[]) => events.filter(({ rtt }) => rtt !== undefined).length;
    expect([rtts(told), rtts(kept)]).toEqual([10, 10]);
    const { stdout } = await exec(["jq", "[.[] | select(.flow_event)][0].reason", file]);
    expect(stdout.trim()).toBe('"first observed packet"');
  }, 60_000);

  test("the examples of the seed document parse back from our own output", async () => {
    await using hosts = await twoHosts();
    const args = ["-i", DEVICE, "-C", "-r", "0", "--seed-format"];
    const folder = hosts.lab.folder;
    const formats = ["standard", "ppviz", "jsonl"] as const;
    const agents = await Promise.all(
      formats.map((format) => measuring(pping(hosts.near, ...args, "-F", format, "-w", `${folder}/${format}`))),
    );
    await ping(hosts.near, FAR, { count: 3 });
    await Promise.all(agents.map((agent) => agent.stop()));
    const flow = String.raw`10\.82\.0\.2:\d+\+10\.82\.0\.1:\d+`;
    const time = String.raw`\d\d:\d\d:\d\d\.\d{9}`;
    expect(lines(`${folder}/standard`)).toEqual([
      expect.stringMatching(`^${time} ${flow} opening due to first observed packet from dest$`),
      ...Array(3).fill(expect.stringMatching(`^${time} [\\d.]+ ms [\\d.]+ ms ${flow}$`)),
    ]);
    expect(lines(`${folder}/ppviz`)).toEqual(
      Array(3).fill(expect.stringMatching(String.raw`^\d{10}\.\d{9} [\d.e-]+ [\d.e-]+ ${flow}$`)),
    );
    const [event, sample] = lines(`${folder}/jsonl`).map((line) => JSON.parse(line) as object);
    const common = ["timestamp", "src_ip", "src_port", "dest_ip", "dest_port", "protocol"];
    expect(Object.keys(event ?? {})).toEqual([...common, "flow_event", "reason", "triggered_by"]);
    const counts = ["sent_packets", "sent_bytes", "rec_packets", "rec_bytes"];
    expect(Object.keys(sample ?? {})).toEqual([...common, "rtt", "min_rtt", ...counts]);
  }, 60_000);

  test("SIGHUP opens the file anew", async () => {
    await using hosts = await twoHosts();
    const file = `${hosts.lab.folder}/out`;
    const agent = await measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0", "-w", file));
    await ping(hosts.near, FAR);
    const count = (path: string) => readFileSync(path, "utf8").split(" ms ").length;
    await waitFor(() => count(file) > 1, { deadlineMs: DEADLINE_MS });
    renameSync(file, `${file}.1`);
    agent.signal("SIGHUP");
    await waitFor(() => readFileSync(file, "utf8") === "", { deadlineMs: DEADLINE_MS });
    await ping(hosts.near, FAR);
    await agent.stop();
    expect([count(`${file}.1`), count(file)]).toEqual([3, 3]);
  }, 60_000);

  test("nothing is left after SIGKILL, and another program's clsact filter stays", async () => {
    await using lab = await NetLab.create();
    const far = await lab.namespace("far");
    await lab.link({ ns: lab.here, device: DEVICE }, { ns: far, device: DEVICE });
    using other = BpfObject.open(emptySpec).load();
    const { ifindex } = interfaceInfo(DEVICE);
    using _filter = other.program("empty_tc").attachTc({ ifindex, direction: "egress", hook: "clsact" });
    const attached = async () => (await lab.here.exec(["bpftool", "net", "show", "dev", DEVICE])).stdout;
    const before = await attached();
    expect(before).toContain("empty_tc");
    const agent = await measuring(pping(lab.here, "-i", DEVICE));
    expect(tcxPrograms(ifindex, "egress")).toHaveLength(1);
    agent.signal("SIGKILL");
    await agent.exited;
    await waitFor(() => tcxPrograms(ifindex, "egress").length === 0, { deadlineMs: DEADLINE_MS });
    expect(tcxPrograms(ifindex, "ingress")).toHaveLength(0);
    expect(await attached()).toBe(before);
  }, 60_000);

  test("an interface that disappears ends it with a line that names it; with --wait it is followed", async () => {
    await using hosts = await twoHosts();
    const { near, far, lab } = hosts;
    const [agent, patient] = await Promise.all([
      measuring(pping(near, "-i", DEVICE)),
      measuring(pping(near, "-i", DEVICE, "-C", "--wait")),
    ]);
    await near.ip(`link del ${DEVICE}`);
    expect((await agent.exited).code).toBe(1);
    expect(agent.stderr.at(-1)).toMatch(/eth0/);
    await patient.waitForLine(/waiting/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    const from = patient.stderr.length;
    await lab.link(
      { ns: near, device: DEVICE, addresses: ["10.82.0.1/24"] },
      { ns: far, device: DEVICE, addresses: ["10.82.0.2/24"] },
    );
    await patient.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr", from });
    await ping(near, FAR);
    await patient.waitForLine(/ ms .* ICMP /, { deadlineMs: DEADLINE_MS });
    expect((await patient.stop()).code).toBe(0);
  }, 60_000);

  test("-a: prefixes with percentiles, /0 included, and the whole interface", async () => {
    await using hosts = await twoHosts({ delayUs: 1000 });
    const { near } = hosts;
    const args = ["-i", DEVICE, "-C", "-r", "0", "-a", "1", "-F", "jsonl"];
    const [fine, coarse] = await Promise.all([
      measuring(pping(near, ...args, "-4", "32")),
      measuring(pping(near, ...args, "-4", "0", "-6", "0")),
    ]);
    const { rttsMs } = await ping(near, FAR, { count: 50 });
    await Promise.all([fine.stop(), coarse.stop()]);
    interface Line {
      readonly ip_prefix?: string;
      readonly count_rtt?: number;
      readonly min_rtt?: number;
      readonly median_rtt?: number;
      readonly max_rtt?: number;
      readonly protocol_counters?: { readonly ICMP?: { readonly packets: number; readonly bytes: number } };
    }
    const parsed = (agent: ManagedProcess) => agent.stdout.map((line) => JSON.parse(line) as Line);
    const [own, all] = [parsed(fine), parsed(coarse)];
    const rtts = (told: Line[], prefix: string) =>
      told.filter(({ ip_prefix, count_rtt }) => ip_prefix === prefix && count_rtt !== undefined);
    const count = (told: Line[], prefix: string) =>
      rtts(told, prefix).reduce((sum, { count_rtt }) => sum + (count_rtt ?? 0), 0);
    expect([count(own, `${FAR}/32`), count(all, "0.0.0.0/0")]).toEqual([50, 50]);
    for (const { min_rtt = 0, median_rtt = 0, max_rtt = 0 } of rtts(own, `${FAR}/32`)) {
      expect(min_rtt).toBeGreaterThanOrEqual(2_000_000);
      expect(median_rtt).toBeGreaterThanOrEqual(min_rtt);
      expect(median_rtt).toBeLessThanOrEqual(max_rtt);
    }
    // The least one: a busy host delays the programs and ping differently.
    const least = Math.min(...rtts(own, `${FAR}/32`).map(({ min_rtt = 0 }) => min_rtt));
    const truth = Math.min(...rttsMs) * 1e6;
    expect(Math.abs(least - truth)).toBeLessThanOrEqual(Math.max(50_000, 0.05 * truth));
    const icmp = own.reduce((sum, line) => sum + (line.protocol_counters?.ICMP?.packets ?? 0), 0);
    const bytes = own.reduce((sum, line) => sum + (line.protocol_counters?.ICMP?.bytes ?? 0), 0);
    expect([icmp, bytes]).toEqual([100, 100 * 84]);
  }, 60_000);

  test.each(["generic", "native"])(
    "-I xdp -x %s measures as tc does, and says what it is",
    async (mode) => {
      await using hosts = await twoHosts();
      const agent = await measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0", "-I", "xdp", "-x", mode));
      const said = mode === "generic" ? /generic mode/ : /offloads/;
      await agent.waitForLine(said, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      await ping(hosts.near, FAR, { count: 5 });
      await agent.stop();
      expect(agent.stdout.filter((line) => line.includes(" ms "))).toHaveLength(5);
    },
    60_000,
  );

  test("a full table is told every interval, in the output and in the log", async () => {
    await using hosts = await twoHosts();
    const args = ["-i", DEVICE, "-C", "-r", "0", "--flows", "1", "--interval", "1"];
    const agent = await measuring(pping(hosts.near, ...args));
    await Promise.all([1, 2].map(() => ping(hosts.near, FAR, { count: 30, intervalMs: 50 })));
    await agent.stop();
    const told = agent.stdout.flatMap((line) => /: errors=\(create-flow-state=(\d+)\)$/.exec(line)?.[1] ?? []);
    // Only requests begin a flow.
    expect(told.reduce((sum, count) => sum + Number(count), 0)).toBe(30);
    expect(told.length).toBeGreaterThan(1);
    expect(agent.stderr.join("\n")).toMatch(/packets_without_flow/);
    expect(agent.stderr.at(-1)).toMatch(/"tracked":"60","tracked_percent":/);
  }, 60_000);

  test("no locked memory is needed, nor any place to start from", async () => {
    await using hosts = await twoHosts();
    const { argv } = pping(hosts.near, "--version");
    const command = ["prlimit", "--memlock=65536:65536", "--", ...argv.slice(4), "-i", DEVICE];
    const agent = hosts.near.spawn(
      command.filter((word) => word !== "--version"),
      { cwd: "/" },
    );
    await measuring(agent);
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);

  test("on a forwarding host both sides are measured; what ends there only with -l", async () => {
    await using lab = await NetLab.create();
    const [near, middle, far] = [
      await lab.namespace("near"),
      await lab.namespace("middle"),
      await lab.namespace("far"),
    ];
    await lab.link(
      { ns: near, device: DEVICE, addresses: ["10.84.0.1/24", "fd84::1/64"] },
      { ns: middle, device: "left", addresses: ["10.84.0.2/24", "fd84::2/64"] },
    );
    await lab.link(
      { ns: middle, device: "right", addresses: ["10.84.1.2/24", "fd84:1::2/64"] },
      { ns: far, device: DEVICE, addresses: ["10.84.1.1/24", "fd84:1::1/64"] },
    );
    await middle.sysctl({ "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1 });
    await near.ip("route add 10.84.1.0/24 via 10.84.0.2", "route add fd84:1::/64 via fd84::2");
    await far.ip("route add 10.84.0.0/24 via 10.84.1.2", "route add fd84::/64 via fd84:1::2");
    const args = ["-i", "left", "-C", "-r", "0", "-F", "jsonl"];
    const [plain, all] = await Promise.all([
      measuring(pping(middle, ...args)),
      measuring(pping(middle, ...args, "-l")),
    ]);
    for (const to of ["10.84.1.1", "fd84:1::1", "10.84.0.2", "fd84::2"]) await ping(near, to, { count: 4 });
    await Promise.all([plain.stop(), all.stop()]);
    const sides = (agent: ManagedProcess) => {
      const counts: Record<string, number> = {};
      for (const { src_ip, match_on_egress } of samplesOf(agent.stdout)) {
        const key = `${src_ip} ${match_on_egress}`;
        counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    };
    const through = { "10.84.1.1 true": 4, "fd84:1::1 true": 4 };
    expect(sides(plain)).toEqual(through);
    expect(sides(all)).toEqual({ ...through, "10.84.0.2 true": 4, "fd84::2 true": 4 });
  }, 60_000);

  test("an interface without Ethernet", async () => {
    await using hosts = await twoHosts({ delayUs: 100, layer3: true });
    const agent = await measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0"));
    await Promise.all([ping(hosts.near, FAR, { count: 5 }), ping(hosts.near, FAR6, { count: 5 })]);
    await agent.stop();
    const samples = agent.stdout.filter((line) => line.includes(" ms "));
    expect(samples.filter((line) => line.includes("ICMP 10.82.0.2"))).toHaveLength(5);
    expect(samples.filter((line) => line.includes("ICMPv6 fd82::2"))).toHaveLength(5);
  }, 60_000);

  test("metrics: what was seen and what came of it", async () => {
    await using hosts = await twoHosts();
    const agent = await measuring(pping(hosts.near, "-i", DEVICE, "-C", "-r", "0", "--metrics", "9105"));
    await ping(hosts.near, FAR, { count: 4 });
    await waitFor(() => agent.stdout.length > 4, { deadlineMs: DEADLINE_MS });
    const script = `fetch("http://localhost:9105/metrics").then((r) => r.text()).then(console.log)`;
    const { stdout } = await hosts.near.exec([process.execPath, "-e", script]);
    const labels = `{role="observer",interface="eth0"}`;
    expect(stdout).toContain(`waymark_pping_samples_icmp_echo_total${labels} 4\n`);
    expect(stdout).toContain(`waymark_pping_tracked_total${labels} 8\n`);
  }, 60_000);
});
