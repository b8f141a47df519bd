// @kernels
import { fileURLToPath } from "node:url";
import { BpfObject, interfaceInfo, probeFeature, tcxPrograms } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { systemClock } from "@waymark/probe";
import { DatagramReceiver, describePrivileged, type Namespace, NetLab, sendDatagrams, waitFor } from "@waymark/testkit";
import { measurementOf } from "../src/config.ts";
import { Meter } from "../src/meter.ts";

const DEVICE = "wmsource";
const HERE = "10.80.0.1";
const FAR = "10.80.0.2";
const PORT = 5001;
const COUNT = 100;
const DEADLINE_MS = 20_000;
const MARKS = [0x08, 0x0c];
const FIXTURE = fileURLToPath(new URL("./fixtures/clsact-source.ts", import.meta.url));
const BIN = fileURLToPath(new URL("../bin/altmark.js", import.meta.url));
const withTcx = { unless: () => (probeFeature("tcx").supported ? undefined : "needs TCX (6.6)") };

interface Rig extends AsyncDisposable {
  readonly lab: NetLab;
  readonly far: Namespace;
  readonly receiver: DatagramReceiver;
}

/** This namespace, a link, and a receiver at its far end. */
async function build(): Promise<Rig> {
  const lab = await NetLab.create();
  const far = await lab.namespace("far");
  await lab.link(
    { ns: lab.here, device: DEVICE, addresses: [`${HERE}/24`] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  const receiver = await DatagramReceiver.start(far, PORT);
  return { lab, far, receiver, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

/** Sends datagrams; how many arrived with a mark and without. */
async function send({ lab, receiver }: Rig): Promise<{ marked: number; unmarked: number }> {
  const before = (await receiver.counts()).byTos;
  await sendDatagrams(lab.here, { to: FAR, port: PORT, count: COUNT, rate: 5000 });
  const total = (tos: Readonly<Record<string, number>>) => Object.values(tos).reduce((sum, count) => sum + count, 0);
  const after = await waitFor(
    async () => {
      const { byTos } = await receiver.counts();
      return total(byTos) >= total(before) + COUNT ? byTos : undefined;
    },
    { deadlineMs: DEADLINE_MS, what: "datagrams" },
  );
  const arrived = (tos: number) => (after[tos] ?? 0) - (before[tos] ?? 0);
  return { marked: MARKS.reduce((sum, tos) => sum + arrived(tos), 0), unmarked: arrived(0) };
}

function startMeter(hook: "auto" | "tcx" | "clsact" = "auto"): Meter {
  const options = { interval: 1_000_000_000n, path: [], flow: [], perFlow: false, tableSize: 1, guard: undefined };
  const measurement = measurementOf("source", options);
  return new Meter({ measurement, device: DEVICE, clock: systemClock(), order: "first", hook });
}

/** UDP that the meter has counted since the last call. ARP is not IP and the rest of the link is quiet. */
function counted(meter: Meter): number {
  const readings = meter.readAll();
  return Number(readings.flatMap((reading) => reading.counted).reduce((sum, { packets }) => sum + packets, 0n));
}

describePrivileged("a stranger's program that returns TC_ACT_OK", withTcx, () => {
  test("attached earlier hides nothing", async () => {
    await using rig = await build();
    using stranger = BpfObject.open(emptySpec).load();
    stranger.program("empty_ok").attachTcx({ ifindex: interfaceInfo(DEVICE).ifindex, direction: "egress" });
    using meter = startMeter();
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    expect(counted(meter)).toBe(COUNT);
  });

  test("attached later behind hides nothing; in front it is noticed and overtaken", async () => {
    await using rig = await build();
    using meter = startMeter();
    using stranger = BpfObject.open(emptySpec).load();
    const place = { ifindex: interfaceInfo(DEVICE).ifindex, direction: "egress" } as const;
    const behind = stranger.program("empty_ok").attachTcx({ ...place, order: "last" });
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    expect(meter.keepPlace()).toBe(false);
    behind.close();
    stranger.program("empty_ok").attachTcx({ ...place, order: "first" });
    expect(await send(rig)).toEqual({ marked: 0, unmarked: COUNT });
    expect(meter.keepPlace()).toBe(true);
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    expect(counted(meter)).toBe(2 * COUNT);
    expect(meter.keepPlace()).toBe(false);
  });
});

describePrivileged("a stranger's filter at clsact, as on kernels without TCX", () => {
  test("behind hides nothing; in front it is noticed at every look until it is gone", async () => {
    await using rig = await build();
    using stranger = BpfObject.open(emptySpec).load();
    const place = { ifindex: interfaceInfo(DEVICE).ifindex, direction: "egress", hook: "clsact" } as const;
    const front = stranger.program("empty_ok").attachTc(place);
    using meter = startMeter("clsact");
    expect(await send(rig)).toEqual({ marked: 0, unmarked: COUNT });
    expect([meter.keepPlace(), meter.keepPlace()]).toEqual([true, true]);
    front.close();
    expect(meter.keepPlace()).toBe(false);
    stranger.program("empty_ok").attachTc({ ...place, order: "last" });
    expect(meter.keepPlace()).toBe(false);
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    expect(counted(meter)).toBe(COUNT);
  });
});

describePrivileged("killed", { tools: ["tc"] }, () => {
  test("the agent leaves nothing that acts", async () => {
    await using rig = await build();
    const agent = rig.lab.here.spawn([process.execPath, BIN, "source", DEVICE, "-i", "1"]);
    await agent.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    agent.signal("SIGKILL");
    await agent.exited;
    await waitFor(async () => (await send(rig)).unmarked === COUNT, {
      deadlineMs: DEADLINE_MS,
      what: "unmarked packets",
    });
    if (probeFeature("tcx").supported) expect(tcxPrograms(interfaceInfo(DEVICE).ifindex, "egress")).toEqual([]);
  });

  test("a clsact filter stops acting when its lease ends; the next start removes it and nobody else's", async () => {
    await using rig = await build();
    const filters = async () => (await rig.lab.here.exec(["tc", "filter", "show", "dev", DEVICE, "egress"])).stdout;
    await rig.lab.here.exec(["tc", "qdisc", "add", "dev", DEVICE, "clsact"]);
    await rig.lab.here.exec(
      [
        "tc",
        "filter",
        "add",
        "dev",
        DEVICE,
        "egress",
        "prio",
        "7",
        "protocol",
        "all",
        "matchall",
        "action",
        "continue",
      ],
      { allowFailure: true },
    );
    const foreign = (await filters()).includes("pref 7");
    const child = rig.lab.here.spawn([process.execPath, "--conditions=source", "--import", "tsx", FIXTURE, DEVICE]);
    await child.waitForLine(/measuring/, { deadlineMs: DEADLINE_MS });
    expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
    child.signal("SIGKILL");
    await child.exited;
    expect(await filters()).toContain("altmark_source");
    await waitFor(async () => (await send(rig)).unmarked === COUNT, {
      deadlineMs: DEADLINE_MS,
      what: "unmarked packets",
    });
    {
      using meter = startMeter("clsact");
      expect((await filters()).match(/altmark_source\//g)?.length).toBe(1);
      expect(await send(rig)).toEqual({ marked: COUNT, unmarked: 0 });
      expect(counted(meter)).toBe(COUNT);
    }
    expect(await filters()).not.toContain("altmark_source");
    expect((await filters()).includes("pref 7")).toBe(foreign);
    expect((await rig.lab.here.exec(["tc", "qdisc", "show", "dev", DEVICE])).stdout).toContain("clsact");
  });
});
