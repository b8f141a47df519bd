import { buildPacket } from "@waymark/packet";
import { CommandError, describePrivileged, NetLab, sendFrames, waitUntilReady } from "../src/index.ts";

describePrivileged("frames", () => {
  test("exactly so many arrive, in turn; what is no frame is refused", async () => {
    await using lab = await NetLab.create();
    const [a, b] = [await lab.namespace("a"), await lab.namespace("b")];
    await a.sysctl({ "net.ipv6.conf.default.disable_ipv6": 1 });
    await b.sysctl({ "net.ipv6.conf.default.disable_ipv6": 1 });
    await lab.link({ ns: a, device: "eth0" }, { ns: b, device: "eth0" });
    await waitUntilReady(a);
    const [short, long] = [10, 500].map((length) =>
      buildPacket({
        ethernet: { vlans: [{ id: 7 }] },
        ipv4: { source: "10.0.0.1", destination: "10.0.0.2" },
        transport: { kind: "udp", sourcePort: 1, destinationPort: 2, payload: new Uint8Array(length) },
      }),
    ) as [Uint8Array, Uint8Array];
    const before = await b.statistics("eth0");
    expect((await sendFrames(a, "eth0", [short, long], { count: 101, rate: 5000 })).sent).toBe(101);
    const after = await b.statistics("eth0");
    expect(after.rxPackets - before.rxPackets).toBe(101n);
    expect(after.rxBytes - before.rxBytes).toBe(BigInt(51 * short.length + 50 * long.length));
    await expect(sendFrames(a, "eth0", [short.subarray(0, 13)], { count: 1 })).rejects.toThrow(CommandError);
    await expect(sendFrames(a, "eth0", [], { count: 1 })).rejects.toThrow("no frames");
    await expect(sendFrames(a, "eth9", [short], { count: 1 })).rejects.toThrow("No such device");
  });
});
