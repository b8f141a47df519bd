import { fileURLToPath } from "node:url";
import { describePrivileged, type ManagedProcess, type Namespace, NetLab, sendDatagrams } from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/altmark.js", import.meta.url));
const DEVICE = "eth0";
const FAR = "10.81.0.2";
const DEADLINE_MS = 20_000;

interface Rig extends AsyncDisposable {
  readonly lab: NetLab;
  readonly near: Namespace;
}

async function build(): Promise<Rig> {
  const lab = await NetLab.create();
  const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
  await lab.link(
    { ns: near, device: DEVICE, addresses: ["10.81.0.1/24"] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  return { lab, near, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

const altmark = (ns: Namespace, ...args: readonly string[]) => ns.spawn([process.execPath, BIN, ...args]);

/** Exit code, and what it said on standard error. */
async function ended(child: ManagedProcess): Promise<{ code: number | null; said: readonly string[] }> {
  const { code } = await child.exited;
  return { code, said: child.stderr };
}

async function measuring(child: ManagedProcess): Promise<ManagedProcess> {
  await child.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
  return child;
}

describePrivileged("the altmark command", () => {
  test.each([
    [["source", DEVICE, "-i", "ten"], 2, /ten/],
    [["source", DEVICE, "10.0.0.1"], 2, /port/i],
    [["sink", DEVICE, "--guard", "5000"], 2, /--guard 5000 ms/],
    [["sink", DEVICE, "--flow", "web=dst=10.0.0.1/8"], 2, /10\.0\.0\.0\/8/],
    [["monitor"], 2, /monitor/],
    [["source", "eth9"], 1, /eth9/],
    [["source"], 1, /default route/],
  ])("%j ends with one clear line", async (argv, code, message) => {
    await using rig = await build();
    const end = await ended(altmark(rig.near, ...argv));
    expect(end).toEqual({ code, said: [expect.stringMatching(message)] });
  });

  test("without the privilege: exit code 3 and what is needed", async () => {
    await using rig = await build();
    // Root without a capability: it can read the checkout wherever that is, and nothing more.
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    const end = await ended(rig.near.spawn([...drop, process.execPath, BIN, "source", DEVICE]));
    expect(end).toEqual({ code: 3, said: [expect.stringMatching(/root|CAP_BPF/)] });
  });

  test("a second one of the same role on an interface is refused; the other role is not", async () => {
    await using rig = await build();
    await measuring(altmark(rig.near, "sink", DEVICE));
    const second = await ended(altmark(rig.near, "sink", DEVICE, "--path", "b"));
    expect(second).toEqual({ code: 2, said: [expect.stringMatching(/already.*--path/)] });
    await measuring(altmark(rig.near, "source", DEVICE));
  });

  test("SIGTERM reads and prints what was counted last, and ends with 0", async () => {
    await using rig = await build();
    const source = await measuring(altmark(rig.near, "source", DEVICE, "-i", "3600", "--format", "jsonl"));
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 70, rate: 5000 });
    source.signal("SIGTERM");
    expect((await source.exited).code).toBe(0);
    const blocks = source.stdout.map((line) => JSON.parse(line) as { flows: { packets: number }[] });
    expect(blocks.flatMap((block) => block.flows).reduce((sum, flow) => sum + flow.packets, 0)).toBe(70);
  });

  test("an idle source prints a line of zeros for every block", async () => {
    await using rig = await build();
    const source = altmark(rig.near, "source", DEVICE, "-i", "0.2");
    await source.waitForLine(/^color 0 count0 0 count1 0$/, { deadlineMs: DEADLINE_MS });
    await source.waitForLine(/^color 1 count0 0 count1 0$/, { deadlineMs: DEADLINE_MS });
  });

  test.each(["10", "0.1"])(
    "an interface that disappears ends it with a line that names it (-i %s)",
    async (interval) => {
      await using rig = await build();
      const source = await measuring(altmark(rig.near, "source", DEVICE, "-i", interval));
      const logged = source.stderr.length;
      await rig.near.ip(`link del ${DEVICE}`);
      expect((await source.exited).code).toBe(1);
      expect(source.stderr.slice(logged).at(-1)).toMatch(/eth0/);
    },
  );

  test("metrics and health", async () => {
    await using rig = await build();
    await measuring(altmark(rig.near, "source", DEVICE, "-i", "0.2", "--metrics", "9102"));
    await sendDatagrams(rig.near, { to: FAR, port: 9, count: 30, rate: 5000, tos: 0xb8 });
    const get = async (path: string) => {
      const script = `fetch("http://localhost:9102${path}").then((r) => r.text()).then(console.log)`;
      return (await rig.near.exec([process.execPath, "-e", script])).stdout;
    };
    expect(JSON.parse(await get("/healthz"))).toMatchObject({ healthy: true, measuring: true });
    expect(await get("/metrics")).toMatch(/^waymark_altmark_dscp_in_use_total\{role="source",interface="eth0"\} 30$/m);
  });
});
