// @kernels
import { interfaceInfo, probeFeature } from "@waymark/bpf-runtime";
import { attachHook } from "@waymark/probe";
import { describePrivileged, NetLab, sendFrames, waitFor } from "@waymark/testkit";
import { measurementOf } from "../src/config.ts";
import type { News } from "../src/news.ts";
import { NewsReader } from "../src/news-reader.ts";
import { Observer } from "../src/observer.ts";
import { echo, IPV4, NONE } from "./rig.ts";

const DEVICE = "pping0";
const DEADLINE_MS = 20_000;

describePrivileged("attached to an interface", () => {
  test.each(["clsact", "tcx", "xdp"] as const)(
    "by %s: real packets, and nothing left afterwards",
    async (way) => {
      if (way === "tcx" && !probeFeature("tcx").supported) return;
      await using lab = await NetLab.create();
      const far = await lab.namespace("far");
      await lab.link({ ns: lab.here, device: DEVICE }, { ns: far, device: "eth0" });
      const ingressHook = way === "xdp" ? "xdp" : "tc";
      const measurement = measurementOf({ ...NONE, icmp: true, ingressHook, xdpMode: "generic" });
      const hook = way === "xdp" ? attachHook() : way;
      {
        using observer = new Observer({ measurement, device: DEVICE, order: "first", hook });
        expect(observer.hooks).toEqual({ egress: hook, ingress: way === "xdp" ? "xdp-generic" : hook });
        await sendFrames(lab.here, DEVICE, [echo(IPV4, true, true, 7, 1)], { count: 1 });
        await sendFrames(far, "eth0", [echo(IPV4, false, false, 7, 1)], { count: 1 });
        const [reader, news] = [new NewsReader(16), [] as News[]];
        await waitFor(
          () => {
            const batch = observer.ring.read();
            if (batch) news.push(...reader.read(batch, 0n));
            return news.some(({ kind }) => kind === "rtt");
          },
          { deadlineMs: DEADLINE_MS, what: "a sample" },
        );
        expect(observer.keepPlace()).toBe(false);
        expect(observer.counters()).toMatchObject({ samples: 1n, flows_created: 1n });
      }
      const { ifindex } = interfaceInfo(DEVICE);
      const { stdout } = await lab.here.exec(["tc", "filter", "show", "dev", DEVICE, "egress"], { allowFailure: true });
      expect([ifindex > 0, stdout.includes("pping")]).toEqual([true, false]);
      const [link] = (await lab.here.ipJson("link", "show", "dev", DEVICE)) as readonly { readonly xdp?: object }[];
      expect(link?.xdp).toBeUndefined();
    },
    60_000,
  );
});
