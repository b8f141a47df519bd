// @kernels: in emulation, too
import {
  DatagramReceiver,
  describePrivileged,
  linkChecksumComplete,
  NetLab,
  sendDatagrams,
  snmp6Counter,
  waitFor,
} from "@waymark/testkit";

const DEADLINE = { deadlineMs: 10_000 };

describePrivileged("a link whose packets carry CHECKSUM_COMPLETE", { tools: ["ip", "nft", "ethtool", "gcc"] }, () => {
  test("a header changed behind the checksum's back is an error at the receiver, an unchanged one is not", async () => {
    await using lab = await NetLab.create();
    const [left, right] = [await lab.namespace("left"), await lab.namespace("right")];
    await linkChecksumComplete(
      lab,
      { ns: left, device: "cc0", addresses: ["fd00::1/64"] },
      { ns: right, device: "cc0", addresses: ["fd00::2/64"] },
    );
    await using receiver = await DatagramReceiver.start(right, 5000, "::");
    const send = () => sendDatagrams(left, { to: "fd00::2", port: 5000, count: 20, rate: 1000, size: 200, tos: 8 });
    await send();
    await waitFor(async () => (await receiver.counts()).received === 20, DEADLINE);
    expect(await snmp6Counter(right, "Udp6InCsumErrors")).toBe(0n);

    // nft writes the Traffic Class and leaves the packet's sum as it was
    await right.nft(`table netdev t {
      chain c {
        type filter hook ingress device "cc0" priority 0; policy accept;
        meta l4proto udp ip6 dscp set 0
      }
    }`);
    await send();
    await waitFor(async () => (await snmp6Counter(right, "Udp6InCsumErrors")) === 20n, DEADLINE);
    expect(await receiver.counts()).toMatchObject({ received: 20 });
  });
});
