import { describePrivileged, whyNoWire } from "@waymark/testkit";
import { FAR, StampPath } from "./stamp-path.ts";

const noWire = await whyNoWire();

describePrivileged("interfaces without Ethernet", { tools: ["ip", "gcc"], unless: () => noWire }, () => {
  test("in place and by user space, over IPv4 and IPv6", async () => {
    await using path = await StampPath.create({ wire: { layer3: true, delayUs: 1000 } });
    await path.reflector(["--stateful"]);
    const { summaries } = await path.sender([...FAR, "-c", "10", "-i", "0.02"]);
    expect(summaries.map(({ received_packets }) => received_packets)).toEqual([10, 10]);
    for (const { forward } of summaries) expect(forward.min_ns).toBeGreaterThanOrEqual(1e6);
    const withTlvs = await path.sender([...FAR, "-c", "5", "-i", "0.05", "--tlv", "direct-measurement"]);
    expect(withTlvs.summaries.map(({ received_packets }) => received_packets)).toEqual([5, 5]);
  });
});
