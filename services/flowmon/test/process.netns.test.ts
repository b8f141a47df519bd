import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  describePrivileged,
  type ManagedProcess,
  type Namespace,
  NetLab,
  ping,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";
import { FlowmonProcess, fetchIn, flowmon, sum } from "./flowmon-process.ts";

const CONTROLLER = fileURLToPath(new URL("../bin/monitor_controller.js", import.meta.url));
const DEVICE = "eth0";
const NEAR = "10.83.0.1";
const FAR = "10.83.0.2";
const DEADLINE_MS = 30_000;

interface Lab extends AsyncDisposable {
  readonly lab: NetLab;
  /** Sends. */
  readonly far: Namespace;
  /** Measures what arrives. */
  readonly near: Namespace;
}

async function build(): Promise<Lab> {
  const lab = await NetLab.create();
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  await lab.link(
    { ns: near, device: DEVICE, addresses: [`${NEAR}/24`] },
    { ns: far, device: DEVICE, addresses: [`${FAR}/24`] },
  );
  return { lab, near, far, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

async function ended(child: ManagedProcess): Promise<{ code: number | null; said: readonly string[] }> {
  const { code } = await child.exited;
  return { code, said: child.stderr };
}

const send = ({ far }: Lab, port: number, count: number) => sendDatagrams(far, { to: NEAR, port, count, rate: 2000 });

describePrivileged("the flowmon command", () => {
  test("one clear line for what is wrong", async () => {
    await using net = await build();
    const file = join(net.lab.folder, "config.json");
    await writeFile(file, '{\n  "RULES": { "1": "- - - 22 [TCP, UDP]" }\n}');
    const cases = [
      [["-i", DEVICE, "-t", "soon"], 2, /soon/],
      [["-i", DEVICE, "-j", "1"], 2, /-j 1 is below 10 ms/],
      [["-i", `${DEVICE},${DEVICE}`], 2, /eth0 is there twice/],
      [["-i", DEVICE, "--rtp", "video"], 2, /video/],
      [["-i", DEVICE, "-conf", file], 2, /config\.json line 2: .*\[TCP, UDP\]; write \[TCP,UDP\]/],
      [["-i", DEVICE, "-conf", "/nowhere.json"], 2, /\/nowhere\.json/],
      [["-i", "eth9"], 1, /eth9/],
      [[], 1, /default route/],
    ] as const;
    for (const [argv, code, message] of cases) {
      expect(await ended(flowmon(net.near, ...argv))).toEqual({ code, said: [expect.stringMatching(message)] });
    }
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    const bin = fileURLToPath(new URL("../bin/flowmon.js", import.meta.url));
    const end = await ended(net.near.spawn([...drop, process.execPath, bin, "-i", DEVICE]));
    expect(end).toEqual({ code: 3, said: [expect.stringMatching(/root|CAP_BPF/)] });
  });

  test("prints the original's lines; SIGTERM tells what was counted last and leaves nothing behind", async () => {
    await using net = await build();
    const { child } = await FlowmonProcess.start(net.near, "-i", DEVICE, "-t", "3600", "-b");
    await send(net, 9, 100);
    await child.stop("SIGTERM");
    expect(await child.exited).toMatchObject({ code: 0 });
    expect(child.stdout).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^UDP bitrate \[K?bits\/sec\]: {2}\d+\.\d{4}$/),
        expect.stringMatching(/^Jitter\[STDDEV\] UDP: \d+\.\d{4} ms$/),
        expect.stringMatching(/^Average UDP: \d+\.\d{4} ms$/),
        expect.stringMatching(/^FLOW /),
        expect.stringMatching(/^udp 10\.83\.0\.2:\d+ > 10\.83\.0\.1:9 \(eth0 ingress\) /),
      ]),
    );
    const { stdout } = await net.near.exec(["tc", "filter", "show", "dev", DEVICE, "ingress"]);
    expect(stdout.trim()).toBe("");
    await FlowmonProcess.start(net.near, "-i", DEVICE);
  });

  test("a second one on the interface is refused", async () => {
    await using net = await build();
    await FlowmonProcess.start(net.near, "-i", DEVICE);
    expect(await ended(flowmon(net.near, "-i", DEVICE))).toEqual({
      code: 2,
      said: [expect.stringMatching(/runs on eth0 already/)],
    });
  });

  test("several interfaces and both directions, each by itself", async () => {
    await using net = await build();
    await net.lab.link(
      { ns: net.near, device: "eth1", addresses: ["10.84.0.1/24"] },
      { ns: net.far, device: "eth1", addresses: ["10.84.0.2/24"] },
    );
    const running = await FlowmonProcess.start(
      net.near,
      "-i",
      "eth0,eth1",
      "--direction",
      "both",
      "--format",
      "jsonl",
      "-t",
      "3600",
    );
    await ping(net.far, NEAR, { count: 5 });
    await ping(net.far, "10.84.0.1", { count: 7 });
    const lines = (await running.stop()).filter(({ flow = "" }) => flow.startsWith("icmp "));
    const counts = lines.map((line) => [
      line.interface,
      (line as unknown as { direction: string }).direction,
      line.packets,
    ]);
    expect(counts.toSorted()).toEqual([
      ["eth0", "egress", 5],
      ["eth0", "ingress", 5],
      ["eth1", "egress", 7],
      ["eth1", "ingress", 7],
    ]);
  });

  test("-j shows the jitter by itself, more often", async () => {
    await using net = await build();
    const { child } = await FlowmonProcess.start(net.near, "-i", DEVICE, "-t", "3600", "-j", "50", "-test_jitter");
    const sent = send(net, 9, 600);
    await child.waitForLine(/^Average UDP: \d/, { deadlineMs: DEADLINE_MS });
    await sent;
    expect(child.stdout.some((line) => /bitrate|FLOW/.test(line))).toBe(false);
  });

  test("SIGHUP reads the file again without losing counts; a bad file changes nothing", async () => {
    await using net = await build();
    const file = join(net.lab.folder, "config.json");
    const rules = (text: string) => writeFile(file, `{ "RULES": { "1": "${text}" } }`);
    await rules("- - - 9 UDP");
    const running = await FlowmonProcess.start(
      net.near,
      "-i",
      DEVICE,
      "-conf",
      file,
      "--format",
      "jsonl",
      "-t",
      "3600",
    );
    const reload = async (answer: RegExp) => {
      const from = running.child.stderr.length;
      running.child.signal("SIGHUP");
      await running.child.waitForLine(answer, { deadlineMs: DEADLINE_MS, stream: "stderr", from });
    };
    await send(net, 9, 30);
    await send(net, 10, 30);
    await rules("- - - [9, 10] UDP");
    await reload(/line 1.*\[9,10\].*refused/);
    await send(net, 9, 20);
    await send(net, 10, 20);
    await rules("- - - [9,10] UDP");
    await reload(/read again/);
    await send(net, 9, 5);
    await send(net, 10, 7);
    const lines = await running.stop();
    const packets = (port: number) =>
      sum(
        lines.filter((line) => line.destination_port === port),
        (line) => line.packets,
      );
    expect([packets(9), packets(10)]).toEqual([55, 7]);
  });

  test("serves the gauges where it is told to, and by MONITOR_SERVER", async () => {
    await using net = await build();
    const file = join(net.lab.folder, "config.json");
    await writeFile(file, '{ "MONITOR_SERVER": "True" }');
    const metrics = (port: number) => fetchIn(net.near, port);
    for (const [port, ...args] of [
      [9099, "-server_port", "127.0.0.1:9099"],
      [8080, "-conf", file],
    ] as const) {
      const { child } = await FlowmonProcess.start(net.near, "-i", DEVICE, "-t", "0.2", ...args);
      const whileSending = async () => (await Promise.all([metrics(port), send(net, 9, 1000)]))[0];
      await waitFor(async () => /^udp_throughput [1-9]/m.test(await whileSending()), {
        deadlineMs: DEADLINE_MS,
        what: "gauges",
      });
      const text = await metrics(port);
      expect(text).toMatch(/^# HELP udp_throughput IP bytes of UDP a second\.$/m);
      expect(text).toMatch(/^waymark_flowmon_flows \d/m);
      expect(text).toMatch(/^waymark_flowmon_not_ip_total\{/m);
      await child.stop("SIGTERM");
    }
    const quiet = await FlowmonProcess.start(net.near, "-i", DEVICE);
    expect((await net.near.exec(["ss", "-Htln"])).stdout.trim()).toBe("");
    await quiet.stop();
  });
});

describePrivileged("monitor_controller", () => {
  test("starts in the background, says how it is, and stops", async () => {
    await using net = await build();
    const at = ["--pid-file", join(net.lab.folder, "run", "flowmon.pid")];
    const control = async (...argv: readonly string[]) => {
      const { code, stdout, stderr } = await net.near.exec([process.execPath, CONTROLLER, ...argv], {
        allowFailure: true,
        deadlineMs: DEADLINE_MS,
      });
      return { code, text: stdout + stderr };
    };
    expect(await control("status", ...at)).toEqual({ code: 1, text: "not running\n" });
    expect(await control("stop", ...at)).toEqual({ code: 1, text: "not running\n" });
    expect(await control("start", "--detached", ...at, "-i", "eth9")).toMatchObject({
      code: 1,
      text: expect.stringMatching(/eth9/),
    });
    const started = await control("start", "--detached", ...at, "-i", DEVICE, "--log-level", "silent");
    expect(started).toMatchObject({ code: 0, text: expect.stringMatching(/^started \(pid \d+\)/) });
    const pid = /pid (\d+)/.exec(started.text)?.[1];
    expect(await control("status", ...at)).toEqual({ code: 0, text: `running (pid ${pid})\n` });
    expect(await control("start", ...at, "-i", DEVICE)).toMatchObject({
      code: 2,
      text: expect.stringMatching(/runs already/),
    });
    expect(await control("stop", ...at)).toEqual({ code: 0, text: `stopped (pid ${pid})\n` });
    expect(await control("status", ...at)).toMatchObject({ code: 1 });
    expect(await control("restart")).toMatchObject({ code: 2, text: expect.stringMatching(/restart/) });
    expect(await control("stop", "--detached")).toMatchObject({ code: 2 });
  });

  test("in the foreground it ends with flowmon, and flowmon with it", async () => {
    await using net = await build();
    const file = join(net.lab.folder, "flowmon.pid");
    const child = net.near.spawn([process.execPath, CONTROLLER, "start", "--pid-file", file, "-i", DEVICE]);
    await child.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await child.stop("SIGTERM");
    expect(await child.exited).toMatchObject({ code: 0 });
    const status = await net.near.exec([process.execPath, CONTROLLER, "status", "--pid-file", file], {
      allowFailure: true,
    });
    expect(status).toMatchObject({ code: 1, stdout: "not running\n" });
  });
});
