import { BpfObject, interfaceInfo, probeFeature } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import {
  describePrivileged,
  type ManagedProcess,
  type Namespace,
  NetLab,
  ping,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";
import { BIN, type Line, Running, sumOf } from "./running.ts";

const noTcx = probeFeature("tcx").supported ? undefined : "needs TCX (6.6)";
const DEVICE = "eth0";
const FAR = "10.83.0.2";
const DEADLINE_MS = 20_000;
/** Sends one line over TCP and reads the answer; the server ends with the connection. */
const SERVER = `require("node:net").createServer((c) => { c.on("error", () => {}); c.on("data", (d) => c.end(d)); }).listen(7000, () => console.log("up"))`;
const CLIENT = (how: string) =>
  `const c = require("node:net").connect(7000, "${FAR}", () => { ${how} }); c.on("error", () => {}); c.resume()`;

interface Rig extends AsyncDisposable {
  readonly lab: NetLab;
  readonly near: Namespace;
  readonly far: Namespace;
}

async function build(): Promise<Rig> {
  const lab = await NetLab.create();
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  await lab.link(
    { ns: near, device: DEVICE, addresses: ["10.83.0.1/24"] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  return { lab, near, far, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

const tcflows = (ns: Namespace, ...args: readonly string[]) => ns.spawn([process.execPath, BIN, ...args]);

async function ended(child: ManagedProcess): Promise<{ code: number | null; said: readonly string[] }> {
  const { code } = await child.exited;
  return { code, said: child.stderr };
}

describePrivileged("the tcflows command", () => {
  test.each([
    [["-iface", DEVICE, "-freq", "ten"], 2, /ten/],
    [["-iface", DEVICE, "--filter", "proto=tpc"], 2, /proto=tpc/],
    [["-iface", DEVICE, "--ipfix", "10.0.0.1"], 2, /--ipfix.*HOST:PORT/],
    [["-iface", DEVICE, "--table-size", "0"], 2, /table-size/],
    [["--frequency", "1"], 2, /frequency/],
    [["-iface", "eth9"], 1, /eth9/],
    [[], 1, /default route/],
  ])("%j ends with one clear line", async (argv, code, message) => {
    await using rig = await build();
    expect(await ended(tcflows(rig.near, ...argv))).toEqual({ code, said: [expect.stringMatching(message)] });
  });

  test("without the privilege: exit code 3 and what is needed", async () => {
    await using rig = await build();
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    const end = await ended(rig.near.spawn([...drop, process.execPath, BIN, "-iface", DEVICE]));
    expect(end).toEqual({ code: 3, said: [expect.stringMatching(/root|CAP_BPF/)] });
  });

  test("SIGTERM shows what was counted last and ends with 0, and says nothing more", async () => {
    await using rig = await build();
    const agent = tcflows(rig.near, "-iface", DEVICE, "-freq", "1h", "--filter", "src=10.0.0.0/8");
    await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 70, rate: 5000, fromPort: 4000 });
    agent.signal("SIGTERM");
    expect(await ended(agent)).toEqual({ code: 0, said: [expect.stringMatching(/measuring/)] });
    expect(agent.stdout[0]).toMatch(/^PROTOCOL SOURCE +DESTINATION +PACKETS BYTES$/);
    expect(agent.stdout).toContain("UDP      10.83.0.1:4000        10.83.0.2:9           70      7.25 KiB");
  });

  test("an interface that disappears ends it with a line that names it, after the last table", async () => {
    await using rig = await build();
    const running = await Running.start(rig.lab, rig.near, [DEVICE]);
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 30, rate: 5000 });
    await rig.near.ip(`link del ${DEVICE}`);
    const { code, said } = await ended(running.agent);
    expect([code, said.at(-1)]).toEqual([1, expect.stringMatching(/eth0/)]);
    const lines = await running.lines();
    expect(sumOf(lines.filter((line) => line.destination_port === 9)).packets).toBe(30);
  });

  test("metrics and health", async () => {
    await using rig = await build();
    await Running.start(rig.lab, rig.near, [DEVICE], "--metrics", "9103", "--filter", "proto=tcp");
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 30, rate: 5000 });
    const get = async (path: string) => {
      const script = `fetch("http://localhost:9103${path}").then((r) => r.text()).then(console.log)`;
      return (await rig.near.exec([process.execPath, "-e", script])).stdout;
    };
    expect(JSON.parse(await get("/healthz"))).toMatchObject({ healthy: true, measuring: true });
    const filtered = /^waymark_tcflows_filtered_packets_total\{.*\} (\d+)$/m;
    expect(await get("/metrics")).toMatch(/^waymark_tcflows_table_bytes\{interface="eth0"\} [1-9]\d+$/m);
    await waitFor(async () => Number(filtered.exec(await get("/metrics"))?.[1] ?? 0) >= 30, {
      deadlineMs: DEADLINE_MS,
    });
  });
});

describePrivileged("a stranger's program that ends the chain", { unless: () => noTcx }, () => {
  test("what it hides from a program that asked to be last is counted as unseen", async () => {
    await using lab = await NetLab.create();
    const far = await lab.namespace("far");
    await lab.link(
      { ns: lab.here, device: "wmhidden", addresses: ["10.83.1.1/24"] },
      { ns: far, device: "eth0", addresses: ["10.83.1.2/24"] },
    );
    using stranger = BpfObject.open(emptySpec).load();
    const { ifindex } = interfaceInfo("wmhidden");
    stranger.program("empty_ok").attachTcx({ ifindex, direction: "egress", order: "first" });
    using ingress = BpfObject.open(emptySpec).load();
    ingress.program("empty_ok").attachTcx({ ifindex, direction: "ingress", order: "first" });
    const running = await Running.start(lab, lab.here, ["wmhidden"], "--order", "last", "--metrics", "9104");
    const unseen = async () => {
      const text = await (await fetch("http://localhost:9104/metrics")).text();
      return Number(/^waymark_tcflows_unseen_total\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    // the first look is the one that later ones are compared with
    await waitFor(
      async () => {
        await sendDatagrams(lab.here, { to: "10.83.1.2", port: 9, count: 10 });
        return (await unseen()) >= 10;
      },
      { deadlineMs: DEADLINE_MS, what: "unseen packets" },
    );
    expect(sumOf(await running.stop()).packets).toBe(0);
  });
});

describePrivileged("connections", () => {
  const flow = (lines: readonly Line[], port: "source_port" | "destination_port") =>
    lines.filter((line) => line[port] === 7000 && line.direction === (port === "source_port" ? "ingress" : "egress"));

  async function connect(rig: Rig, how: string, ...flags: string[]): Promise<readonly Line[]> {
    const server = rig.far.spawn([process.execPath, "-e", SERVER]);
    await server.waitForLine(/^up$/, { deadlineMs: DEADLINE_MS });
    const running = await Running.start(rig.lab, rig.near, [DEVICE], ...flags);
    await rig.near.exec([process.execPath, "-e", CLIENT(how)]);
    await waitFor(async () => flow(await running.lines(), "destination_port").some(({ state }) => state === "ended"), {
      deadlineMs: DEADLINE_MS,
      what: "the end of the connection",
    });
    return running.stop();
  }

  test("one that is closed: SYN to FIN, with its start and its duration", async () => {
    await using rig = await build();
    const before = Date.now();
    const lines = await connect(rig, `setTimeout(() => c.write("x"), 300)`);
    for (const port of ["source_port", "destination_port"] as const) {
      const end = flow(lines, port).find(({ state }) => state === "ended");
      expect(end?.end_reason).toBe("fin");
      expect(end?.tcp_flags).toEqual(expect.arrayContaining(["SYN", "FIN", "ACK"]));
      expect(end?.duration_ms).toBeGreaterThan(290);
      expect(Date.parse(end?.start_time ?? "")).toBeGreaterThanOrEqual(before - 1);
      expect(Date.parse(end?.start_time ?? "")).toBeLessThan(Date.now());
    }
  });

  test("one that is reset", async () => {
    await using rig = await build();
    const lines = await connect(rig, `c.resetAndDestroy()`);
    expect(flow(lines, "destination_port").find(({ state }) => state === "ended")?.end_reason).toBe("rst");
  });

  test("both directions as one: it goes from the one that began", async () => {
    await using rig = await build();
    const lines = await connect(rig, `c.write("x")`, "--biflow");
    const all = lines.filter((line) => line.source_port === 7000 || line.destination_port === 7000);
    expect(new Set(all.map(({ source, destination }) => `${source} > ${destination}`))).toEqual(
      new Set([`10.83.0.1 > ${FAR}`]),
    );
    const back = all.reduce((sum, line) => sum + (line.back_packets ?? 0), 0);
    expect([sumOf(all).packets > 3, back > 3]).toEqual([true, true]);
  });

  test("in two lines each, as the earlier tool's authors had in mind", async () => {
    await using rig = await build();
    const server = rig.far.spawn([process.execPath, "-e", SERVER]);
    await server.waitForLine(/^up$/, { deadlineMs: DEADLINE_MS });
    const agent = tcflows(rig.near, "-iface", DEVICE, "-freq", "1h", "--connections", "--filter", "dport=7000");
    await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await rig.near.exec([process.execPath, "-e", CLIENT(`c.write("x")`)]);
    agent.signal("SIGTERM");
    await agent.exited;
    const at = agent.stdout.findIndex((line) => line.startsWith("- (TCP)"));
    expect(agent.stdout[at]).toMatch(
      /^- \(TCP\)\t10\.83\.0\.1:\d+\t->\t10\.83\.0\.2:7000\t\(\d+ packets, \d+ bytes\)$/,
    );
    expect(agent.stdout[at + 1]).toMatch(
      /^ {3}Connection started: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, duration: \d+ ms, ended: FIN$/,
    );
  });
});

describePrivileged("a router", () => {
  test("--dedup shows what it forwards once, where it came in; the rest is marked", async () => {
    await using lab = await NetLab.create();
    const [left, router, right] = [
      await lab.namespace("left"),
      await lab.namespace("router"),
      await lab.namespace("right"),
    ];
    await lab.link(
      { ns: left, device: "eth0", addresses: ["10.84.0.1/24"] },
      { ns: router, device: "west", addresses: ["10.84.0.2/24"] },
    );
    await lab.link(
      { ns: router, device: "east", addresses: ["10.85.0.2/24"] },
      { ns: right, device: "eth0", addresses: ["10.85.0.1/24"] },
    );
    await router.sysctl({ "net.ipv4.ip_forward": 1 });
    await left.ip("route add default via 10.84.0.2");
    await right.ip("route add default via 10.85.0.2");
    const devices = ["west", "east"];
    const plain = await Running.start(lab, router, devices);
    const dedup = await Running.start(lab, router, devices, "--dedup");
    await sendDatagrams(left, { to: "10.85.0.1", port: 9, count: 200, rate: 2000 });
    expect((await ping(left, "10.85.0.1", { count: 20 })).received).toBe(20);
    const seen = (lines: readonly Line[], what: Partial<Line>) => {
      const found = lines.filter((line) =>
        Object.entries(what).every(([name, value]) => line[name as keyof Line] === value),
      );
      const places = new Set(found.map((line) => `${line.interface} ${line.direction}`));
      return [sumOf(found).packets, [...places].toSorted()];
    };
    const [all, once] = [await plain.stop(), await dedup.stop()];
    expect(seen(all, { destination_port: 9 })).toEqual([400, ["east egress", "west ingress"]]);
    expect(seen(once, { destination_port: 9 })).toEqual([200, ["west ingress"]]);
    expect(seen(once, { protocol: "icmp", icmp_type: 0 })).toEqual([20, ["east ingress"]]);
  }, 60_000);
});

describePrivileged("on a terminal", { tools: ["script", "stty"] }, () => {
  test("the view fills 80 by 24, follows a change of size, sorts by a key, and q ends it", async () => {
    await using rig = await build();
    // script(1) makes the terminal; the shell says which one it is, so that its size can be changed from outside
    const inner = `stty rows 24 cols 80; tty >&2; exec ${process.execPath} ${BIN} -iface ${DEVICE} -freq 100ms --log-level error --filter dport=9`;
    const shell = rig.near.spawn(["script", "-qfec", `sh -c '${inner}' 2>${rig.lab.folder}/tty`, "/dev/null"]);
    const { Terminal } = await import("./terminal.ts");
    const screen = () => {
      const terminal = new Terminal(80, 24);
      // the drawing before the last one is whole (the terminal ends lines with \r\r\n: an empty one in between)
      terminal.write(shell.stdout.filter(Boolean).join("\n").split("\u001b[H").at(-2) ?? "");
      return terminal;
    };
    const shows = (what: RegExp) =>
      waitFor(() => screen().text.some((line) => what.test(line)), { deadlineMs: DEADLINE_MS, what: String(what) });
    await shell.waitForLine(/^PROTOCOL/, { deadlineMs: DEADLINE_MS });
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 40, fromPort: 4000 });
    await shows(/^UDP {6}10\.83\.0\.1:4000 +10\.83\.0\.2:9 +40 /);
    expect(screen().scrolled).toBe(0);
    const { stdout: tty } = await rig.lab.here.exec(["cat", `${rig.lab.folder}/tty`]);
    const resize = (rows: number, columns: number) =>
      rig.lab.here.exec(["stty", "-F", tty.trim(), "rows", String(rows), "cols", String(columns)]);
    await resize(8, 40);
    await shows(/^UDP {6}10\.83\.0\.1:4000 +10\.83\.0\.2$/);
    await resize(9, 72);
    await shows(/^b bytes .* \[bytes\]$/);
    expect(screen().text[8]).toMatch(/^b bytes/);
    shell.write("p");
    await shows(/^b bytes .* \[packets\]$/);
    shell.write("q");
    expect((await shell.exited).code).toBe(0);
    // the terminal is as before, with the last table on it
    const left = shell.stdout.join("\n").split("\u001b[?1049l");
    expect([left.length, left[1]]).toEqual([2, expect.stringMatching(/^PROTOCOL SOURCE/)]);
  });
});
