import {
  DatagramReceiver,
  describePrivileged,
  MeasuredPath,
  ping,
  sendDatagrams,
  waitFor,
  whyNoWire,
} from "@waymark/testkit";

const PORT = 5000;
const noWire = await whyNoWire();

describePrivileged(
  "a wire behind the router",
  { tools: ["ip", "nft", "ethtool", "gcc", "ping"], unless: () => noWire },
  () => {
    test("it holds every packet at least as long as it says, both ways", async () => {
      await using path = await MeasuredPath.create({ wire: { delayUs: 10_000 } });
      const { rttsMs } = await ping(path.source.ns, path.sink.ipv6, { count: 5 });
      expect(rttsMs).toHaveLength(5);
      expect(Math.min(...rttsMs)).toBeGreaterThanOrEqual(20);
    });

    test("it loses, doubles and reorders exactly what it says that it did", async () => {
      const count = 2000;
      await using path = await MeasuredPath.create({
        wire: { dropEvery: 50, duplicateEvery: 70, reorderEvery: 90, reorderUs: 20_000 },
      });
      await using receiver = await DatagramReceiver.start(path.sink.ns, PORT);
      await sendDatagrams(path.source.ns, { to: path.sink.ipv4, port: PORT, count, rate: 10_000 });
      const { forward } = await waitFor(
        async () => {
          const state = await path.wire!.state();
          return state.forward.seen >= count && state.forward.queued === 0 && state;
        },
        { deadlineMs: 10_000 },
      );
      expect(forward).toMatchObject({ seen: count, dropped: 40, overflowed: 0, unsent: 0 });
      const arrive = count - forward.dropped + forward.duplicated;
      await waitFor(async () => (await receiver.counts()).received >= arrive, { deadlineMs: 10_000 });
      expect(await receiver.counts()).toMatchObject({
        received: arrive,
        unique: count - forward.dropped,
        duplicates: forward.duplicated,
        reordered: forward.reordered,
      });
      // every 70th and 90th of those that were not lost
      expect([forward.duplicated, forward.reordered]).toEqual([23, 18]);
    });

    test("random loss is the same in every run", async () => {
      const runs: number[] = [];
      for (let run = 0; run < 2; run++) {
        await using path = await MeasuredPath.create({ realSegments: false, wire: { lossPpm: 100_000, seed: 7 } });
        await sendDatagrams(path.source.ns, { to: path.sink.ipv4, port: PORT, count: 1000, rate: 20_000 });
        const { forward } = await waitFor(
          async () => {
            const state = await path.wire!.state();
            return state.forward.seen >= 1000 && state;
          },
          { deadlineMs: 10_000 },
        );
        runs.push(forward.dropped);
      }
      expect(runs[0]).toBe(runs[1]);
      expect(runs[0]).toBeGreaterThan(0);
    });
  },
);
