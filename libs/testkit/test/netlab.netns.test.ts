// @kernels: in emulation, too
import { existsSync } from "node:fs";
import {
  DatagramReceiver,
  describePrivileged,
  exec,
  MeasuredPath,
  NetLab,
  sendDatagrams,
  waitFor,
} from "@waymark/testkit";

describePrivileged("a path with a router that loses 1 in 100", { tools: ["ip", "nft", "ethtool", "gcc"] }, () => {
  test("the receiver got exactly what the router did not drop, and nothing is left afterwards", async () => {
    const count = 20_000;
    const path = await MeasuredPath.create();
    const { prefix, folder } = path.lab;
    try {
      await path.router.apply([
        { name: "seen", match: { protocol: "udp", destinationPort: 5000 }, action: "count" },
        {
          name: "lost",
          match: { protocol: "udp", destinationPort: 5000 },
          select: { every: 100 },
          action: "drop",
        },
      ]);
      for (const [to, any] of [
        [path.sink.ipv4, "0.0.0.0"],
        [path.sink.ipv6, "::"],
      ] as const) {
        const before = await path.router.counters();
        await using receiver = await DatagramReceiver.start(path.sink.ns, 5000, any);
        const sent = await sendDatagrams(path.source.ns, { to, port: 5000, count, rate: 50_000, size: 100 });
        expect(sent.sent).toBe(count);
        const after = await waitFor(
          async () => {
            const counters = await path.router.counters();
            return counters.get("seen")!.packets - before.get("seen")!.packets === BigInt(count) && counters;
          },
          { deadlineMs: 5_000, what: "every datagram at the router" },
        );
        const lost = Number(after.get("lost")!.packets - before.get("lost")!.packets);
        expect(lost).toBe(count / 100);
        await waitFor(async () => (await receiver.counts()).received >= count - lost, { deadlineMs: 5_000 });
        expect(await receiver.counts()).toMatchObject({ received: count - lost, unique: count - lost, socketDrops: 0 });
      }
    } finally {
      await path[Symbol.asyncDispose]();
    }
    const { stdout } = await exec(["ip", "netns", "list"]);
    expect(stdout).not.toContain(prefix);
    expect(existsSync(folder)).toBe(false);
  });

  test("a label is given once, and a lab that fails to build leaves nothing", async () => {
    await using lab = await NetLab.create();
    await lab.namespace("a");
    await expect(lab.namespace("a")).rejects.toThrow(/there is one already/);
    await expect(MeasuredPath.create({ sourceOffloads: { tso: false }, mtu: 1 })).rejects.toThrow(/mtu|MTU|argument/i);
    const { stdout } = await exec(["ip", "netns", "list"]);
    expect(stdout.trim().split("\n")).toHaveLength(1);
  });
});
