import {
  Capture,
  type Counter,
  DatagramReceiver,
  describePrivileged,
  MeasuredPath,
  type PacketMatch,
  ping,
  type RouterRule,
  readCapture,
  runIperf3,
  sendDatagrams,
  startIperf3Server,
  waitFor,
} from "@waymark/testkit";

const PORT = 5000;
const DEADLINE = { deadlineMs: 10_000 };
const udp: PacketMatch = { protocol: "udp" };

describePrivileged(
  "a router between two hosts",
  { tools: ["ip", "nft", "ethtool", "gcc", "iperf3", "tcpdump", "tshark", "ping"] },
  () => {
    let path: MeasuredPath;
    beforeAll(async () => {
      path = await MeasuredPath.create();
    });
    afterAll(async () => {
      await path?.[Symbol.asyncDispose]();
    });

    /** Sends over IPv4 (or 6) through these rules and returns what arrived, once the router has seen all. */
    async function through(
      rules: readonly RouterRule[],
      options: {
        count: number;
        arrive: number;
        v6?: boolean;
        tos?: number;
        size?: number;
        flows?: number;
        mayFragment?: boolean;
      },
    ) {
      await path.router.apply([{ name: "all", action: "count", match: udp }, ...rules]);
      await using receiver = await DatagramReceiver.start(path.sink.ns, PORT, options.v6 ? "::" : "0.0.0.0");
      const { arrive, v6, ...what } = options;
      await sendDatagrams(path.source.ns, {
        to: v6 ? path.sink.ipv6 : path.sink.ipv4,
        port: PORT,
        rate: 20_000,
        ...what,
      });
      await waitFor(async () => (await receiver.counts()).received >= arrive, DEADLINE);
      const received = await receiver.counts();
      const counters = await path.router.counters();
      const packets = (name: string) => Number((counters.get(name) as Counter).packets);
      return { received, packets };
    }

    test("bursts are lost as whole bursts, and nothing is lost without a rule", async () => {
      const burst = await through(
        [{ name: "lost", match: udp, select: { burst: { length: 10, period: 100 } }, action: "drop" }],
        { count: 1000, arrive: 900 },
      );
      expect(burst.received).toMatchObject({ received: 900, unique: 900, reordered: 0, duplicates: 0 });
      expect(burst.packets("lost")).toBe(100);
      const none = await through([], { count: 1000, arrive: 1000, v6: true });
      expect(none.received).toMatchObject({ received: 1000, duplicates: 0 });
    });

    test("losses are told apart by DSCP", async () => {
      const rule: RouterRule = {
        name: "lost",
        match: udp,
        select: { every: 4 },
        action: "drop",
        split: {
          low: { family: 4, dscp: 2 },
          high: [
            { family: 4, dscp: 3 },
            { family: 6, dscp: 3 },
          ],
        },
      };
      const low = await through([rule], { count: 400, arrive: 300, tos: 0x08 });
      expect([low.packets("lost"), low.packets("low"), low.packets("high")]).toEqual([100, 100, 0]);
      const high = await through([rule], { count: 400, arrive: 300, tos: 0x0c, v6: true });
      expect([high.packets("lost"), high.packets("low"), high.packets("high")]).toEqual([100, 0, 100]);
    });

    test.each([false, true])("CE is set and DSCP rewritten, checksums stay right (IPv6: %s)", async (v6) => {
      await using capture = await Capture.start(path.lab, path.sink.ns, path.sink.device, {
        filter: `udp port ${PORT}`,
        direction: "in",
      });
      const { received } = await through(
        [
          { name: "ce", match: udp, select: { every: 2 }, action: "set-ce" },
          { name: "ef", match: udp, select: { every: 5 }, action: { setDscp: 46 } },
        ],
        { count: 100, arrive: 100, tos: 0x0a, v6 },
      );
      // of 100 with DSCP 2 and ECT(0): every second has CE, every fifth EF, every tenth both
      expect(received.byTos).toEqual({ [0x0a]: 40, [0x0b]: 40, [46 * 4 + 2]: 10, [46 * 4 + 3]: 10 });
      await capture.stopAfter(100, 10_000);
      const rows = await readCapture(capture.path, ["ip.checksum.status", "udp.checksum.status"]);
      expect(new Set(rows.map((row) => row["udp.checksum.status"]))).toEqual(new Set(["1"]));
      expect(new Set(rows.map((row) => row["ip.checksum.status"]))).toEqual(new Set([v6 ? "" : "1"]));
    });

    test("duplicates arrive twice", async () => {
      const { received, packets } = await through(
        [{ name: "twice", match: udp, select: { every: 10 }, action: "duplicate" }],
        { count: 500, arrive: 550 },
      );
      expect(received).toMatchObject({ received: 550, unique: 500, duplicates: 50 });
      expect(packets("twice")).toBe(50);
    });

    test("fragments made by the sender are counted one by one; with a smaller MTU the router makes more", async () => {
      const counting: RouterRule[] = [
        { name: "pieces", match: { family: 4, fragment: "any" }, action: "count" },
        { name: "later", match: { family: 4, fragment: "later" }, action: "count" },
      ];
      const made = await through(counting, { count: 20, arrive: 20, size: 4000, mayFragment: true });
      // 4008 octets in pieces of 1480
      expect([made.packets("pieces"), made.packets("later")]).toEqual([60, 40]);
      await path.router.setIpv4Mtu("forward", 600);
      try {
        await using capture = await Capture.start(path.lab, path.sink.ns, path.sink.device, {
          direction: "in",
          filter: "ip[6:2] & 0x3fff != 0",
        });
        const onTheWay = await through(counting, { count: 10, arrive: 10, size: 1400, mayFragment: true });
        expect(onTheWay.packets("pieces")).toBe(0);
        // 1408 octets in pieces of 576
        await capture.stopAfter(30, 10_000);
        expect(await readCapture(capture.path, ["ip.len"])).toHaveLength(30);
      } finally {
        await path.router.setIpv4Mtu("forward", 1500);
      }
    });

    test("IPv6 fragments are told from whole packets", async () => {
      const { packets } = await through(
        [
          { name: "pieces", match: { family: 6, fragment: "any" }, action: "count" },
          { name: "later", match: { family: 6, fragment: "later" }, action: "count" },
          { name: "whole", match: { family: 6, protocol: "udp", fragment: "none" }, action: "count" },
        ],
        { count: 20, arrive: 20, size: 4000, v6: true },
      );
      expect([packets("pieces"), packets("later"), packets("whole")]).toEqual([60, 40, 0]);
    });

    test("TCP with all offloads at both hosts passes the router as real segments", async () => {
      await using _server = await startIperf3Server(path.sink.ns);
      const tcp: PacketMatch = { family: 4, protocol: "tcp" };
      await path.router.apply([
        { name: "there", match: tcp, action: "count" },
        { name: "back", direction: "reverse", match: tcp, action: "count" },
      ]);
      const before = await path.source.ns.statistics(path.source.device);
      const bytes = 20_000_000;
      const result = await runIperf3(path.source.ns, { to: path.sink.ipv4, bytes });
      expect(result.receivedBytes).toBeGreaterThan(bytes / 2);
      const there = await path.router.counter("there");
      const sent = (await path.source.ns.statistics(path.source.device)).txPackets - before.txPackets;
      // 1448 octets of payload a segment; the host itself handed over far fewer super-packets
      expect(Number(there.packets)).toBeGreaterThanOrEqual(Math.floor(result.receivedBytes / 1448));
      expect(there.bytes / there.packets).toBeLessThanOrEqual(1500n);
      expect(Number(sent)).toBeLessThan(Number(there.packets) / 2);

      const reverse = await runIperf3(path.source.ns, { to: path.sink.ipv4, bytes, reverse: true });
      expect(reverse.receivedBytes).toBeGreaterThan(bytes / 2);
      const back = await path.router.counter("back");
      expect(Number(back.packets)).toBeGreaterThanOrEqual(Math.floor(reverse.receivedBytes / 1448));
      expect(await path.strayDrops()).toBe(0n);
    });

    test("the collector is reached past the router", async () => {
      await path.router.apply([{ name: "everything", direction: "both", action: "drop" }]);
      for (const host of [path.source, path.sink]) {
        for (const to of [path.collector.ipv4, path.collector.ipv6]) {
          expect(await ping(host.ns, to, { count: 1 })).toMatchObject({ received: 1 });
        }
      }
      expect((await path.router.counter("everything")).packets).toBe(0n);
      await expect(path.router.counter("nothing")).rejects.toThrow(/no counter nothing/);
    });
  },
);
