import { describePrivileged, ledgerRules, sendDatagrams } from "@waymark/testkit";
import { isComplete, Suite } from "./src/suite.ts";

const COUNT = 3000;
const RATE = 1500;
const DEADLINE_MS = 60_000;
const paths = [
  ...["--path", "old", "--flow", "old/all=dst=10.77.0.0/16"],
  ...["--path", "new", "--flow", "new/udp=dst=fd77::/16,proto=udp", "--flow", "new/rest=dst=fd77::/16"],
];

describePrivileged("two paths on one interface", { tools: ["nft"] }, () => {
  test("each has its own blocks, flows and loss", async () => {
    await using suite = await Suite.start({ sourceArguments: paths, sinkArguments: paths });
    const { source, sink, router } = suite.path;
    await router.apply(ledgerRules([{ name: "drop", match: { family: 6 }, select: { every: 20 }, action: "drop" }]));
    const send = (to: string) => sendDatagrams(source.ns, { to, port: 5001, count: COUNT, rate: RATE });
    await Promise.all([send(sink.ipv4), send(sink.ipv6)]);
    await suite.settled((BigInt(Date.now()) * 1_000_000n) / suite.intervalNs, DEADLINE_MS);
    const blocks = await suite.blocks();
    const total = (path: string, flow: string) => {
      const own = blocks.filter((block) => block.path === path && block.flow === flow);
      expect(own.some(isComplete)).toBe(true);
      const sum = (field: "sentPackets" | "lostPackets") => own.reduce((all, block) => all + (block[field] ?? 0n), 0n);
      return [sum("sentPackets"), sum("lostPackets")];
    };
    expect(total("old", "all")).toEqual([BigInt(COUNT), 0n]);
    expect(total("new", "udp")).toEqual([BigInt(COUNT), (await router.counter("dropped_0")).packets]);
    expect(total("new", "rest")).toEqual([0n, 0n]);
    const { paths: listed } = await suite.client.listPaths({});
    expect(listed.map((path) => [path.path, path.confirmed, path.flows])).toEqual([
      ["new", true, ["rest", "udp"]],
      ["old", true, ["all"]],
    ]);
    expect(suite.collector?.stdout.some((line) => /loss=\d+ path=new flow=udp$/.test(line))).toBe(true);
  }, 120_000);
});
