// @kernels
import { fileURLToPath } from "node:url";
import { BpfObject, interfaceInfo, probeFeature } from "@waymark/bpf-runtime";
import { emptySpec } from "@waymark/bpf-runtime/empty";
import { describePrivileged, type Namespace, NetLab, sendDatagrams } from "@waymark/testkit";
import { Meter } from "../src/meter.ts";
import { keyText } from "./rig.ts";

const DEVICE = "wmflows";
const FAR = "10.90.0.2";
const COUNT = 5000;
const FIXTURE = fileURLToPath(new URL("./fixtures/clsact-holder.ts", import.meta.url));

interface Rig extends AsyncDisposable {
  readonly lab: NetLab;
  readonly far: Namespace;
}

/** This namespace and a link to another, silent but for the test. */
async function build(): Promise<Rig> {
  const lab = await NetLab.create();
  const far = await lab.namespace("far");
  await lab.link(
    { ns: lab.here, device: DEVICE, addresses: ["10.90.0.1/24"] },
    { ns: far, device: "eth0", addresses: [`${FAR}/24`] },
  );
  return { lab, far, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

function startMeter(hook?: "tcx" | "clsact", order: "first" | "last" = "first"): Meter {
  return new Meter({ device: DEVICE, tableSize: 1000, rules: [], order, ...(hook && { hook }) });
}

/** Datagrams to the far end that the meter has counted since the last call. */
function counted(meter: Meter): number {
  using taken = meter.takeLast();
  const ours = [...(taken ?? [])].filter(([key]) => keyText(key).includes(`> ${FAR} 9 `));
  return ours.reduce((sum, [, { packets }]) => sum + Number(packets), 0);
}

const send = (lab: NetLab, count = COUNT) => sendDatagrams(lab.here, { to: FAR, port: 9, count, fromPort: 4000 });
const hooks = probeFeature("tcx").supported ? (["tcx", "clsact"] as const) : (["clsact"] as const);

describePrivileged("a meter", () => {
  test.each(hooks)(
    "by %s: every packet is in exactly one of the tables that were taken out meanwhile",
    async (hook) => {
      await using rig = await build();
      using meter = startMeter(hook);
      expect(meter.hook).toBe(hook);
      let sending = true;
      const sent = send(rig.lab).finally(() => {
        sending = false;
      });
      let read = 0;
      let takes = 0;
      while (sending) {
        read += counted(meter);
        takes++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await sent;
      meter.detach();
      read += counted(meter);
      expect(takes).toBeGreaterThan(1);
      expect(read).toBe(COUNT);
      await send(rig.lab, 10);
      expect(counted(meter)).toBe(0);
    },
  );

  test("an empty table is not taken out, and what comes later is", async () => {
    await using rig = await build();
    using meter = new Meter({ device: DEVICE, tableSize: 10, rules: [], order: "first" });
    meter.take()?.close();
    await send(rig.lab, 10);
    using taken = meter.take();
    expect([...(taken ?? [])].length).toBeGreaterThan(0);
  });

  test("what a killed process left at clsact is removed by the next start, and it counts from zero", async () => {
    await using rig = await build();
    const argv = [process.execPath, "--conditions=source", "--import", "tsx", FIXTURE, DEVICE];
    const holder = rig.lab.here.spawn(argv);
    await holder.waitForLine(/measuring/, { deadlineMs: 120_000 });
    await send(rig.lab, 50);
    holder.signal("SIGKILL");
    await holder.exited;
    const filters = async () => {
      const { stdout } = await rig.lab.here.exec(["tc", "filter", "show", "dev", DEVICE, "egress"]);
      return stdout.match(/tcflows_egress/g)?.length ?? 0;
    };
    expect(await filters()).toBeGreaterThan(0);
    using meter = startMeter("clsact");
    const before = await filters();
    await send(rig.lab, 30);
    expect(counted(meter)).toBe(30);
    meter.detach();
    expect([before > 0, await filters()]).toEqual([true, 0]);
  });
});

const withTcx = { unless: () => (probeFeature("tcx").supported ? undefined : "needs TCX (6.6)") };
describePrivileged("a meter among others", withTcx, () => {
  test("a stranger's program that ends the chain is noticed and overtaken", async () => {
    await using rig = await build();
    using meter = startMeter("tcx");
    using stranger = BpfObject.open(emptySpec).load();
    const place = { ifindex: interfaceInfo(DEVICE).ifindex, direction: "egress" } as const;
    stranger.program("empty_ok").attachTcx({ ...place, order: "first" });
    await send(rig.lab, 100);
    expect(meter.keepPlace()).toBe(true);
    const hidden = counted(meter);
    await send(rig.lab, 100);
    expect([hidden, counted(meter)]).toEqual([0, 100]);
  });
});
