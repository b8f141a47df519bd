// The main job on real packets, in namespaces of its own: source, lossy router, sink, collector, traffic.
// Exits with 0 only if Waymark's loss and the router's own drop counter agree.
import { fileURLToPath } from "node:url";
import { ledgerRules, MeasuredPath, RouterLedger, sendDatagrams } from "@waymark/testkit";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const INTERVAL_S = 2;
const RATE = 2000;
const PORT = 5000;
const ONE_IN = 100;
const QUERY = "waymark.query.v1.QueryService/ListLoss";
const say = (text) => process.stdout.write(`${text}\n`);

const seconds = Number(process.argv[2]);
process.exitCode = (await demo(seconds)) ? 0 : 1;

async function demo(duration) {
  say("Building a network: source — router (loses 1 UDP packet in 100) — sink, and a collector beside it.");
  await using path = await MeasuredPath.create();
  const drop = { name: "drop", match: { protocol: "udp" }, select: { every: ONE_IN }, action: "drop" };
  await path.router.apply(ledgerRules([drop]));
  const intervalNs = BigInt(INTERVAL_S) * 1_000_000_000n;
  const collector = path.collector.ns.spawn(
    service("collector", "12345", "--store", `${path.lab.folder}/store`, "--print"),
  );
  await collector.waitForLine(/collector runs/, { deadlineMs: 30_000, stream: "stderr" });
  await Promise.all([agent(path, "sink"), agent(path, "source")]);
  await using ledger = RouterLedger.start(path.router, intervalNs);
  say(`Sending ${RATE} UDP packets a second for ${duration} s; blocks of ${INTERVAL_S} s.\n`);
  const printing = follow(collector, ledger, intervalNs);
  const { sent } = await sendDatagrams(path.source.ns, {
    to: path.sink.ipv4,
    port: PORT,
    rate: RATE,
    count: RATE * duration,
    deadlineMs: (duration + 60) * 1000,
  });
  const blocks = await settled(path, sent);
  printing.stop();
  const dropped = (await path.router.counter("dropped_0")).packets;
  return verdict(blocks, ledger, dropped, sent);
}

function service(name, ...args) {
  return [process.execPath, `${ROOT}services/${name}/bin/${name}.js`, ...args];
}

async function agent(path, role) {
  const host = path[role];
  const flow = `demo=proto=udp,dport=${PORT}`;
  const argv = ["altmark", role, host.device, path.collector.ipv4, "12345", "-i", String(INTERVAL_S), "--flow", flow];
  const child = host.ns.spawn(service(...argv, "--agent-id", role));
  await child.waitForLine(/measuring/, { deadlineMs: 30_000, stream: "stderr" });
}

/** Prints each line of the collector beside what the router dropped in that block. */
function follow(collector, ledger, intervalNs) {
  let next = 0;
  const timer = setInterval(() => {
    for (; next < collector.stdout.length; next++) {
      const line = collector.stdout[next];
      const time = /^\[([\d-]+) ([\d:]+)\] loss=/.exec(line);
      if (!time) continue;
      const block = (BigInt(Date.parse(`${time[1]}T${time[2]}`)) * 1_000_000n) / intervalNs;
      const truth = ledger.blocks.get(block);
      say(`${line.padEnd(52)} router: ${truth ? `dropped ${truth.dropped}` : "(block not seen whole)"}`);
    }
  }, 100);
  return { stop: () => clearInterval(timer) };
}

/** The blocks over the query API, as soon as they hold everything that was sent and nothing is pending. */
async function settled(path, sent) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await curl(path);
    const total = sum(answer, "sentPackets");
    const pending = answer.some(
      (block) => block.verdict === "LOSS_VERDICT_PENDING" && BigInt(block.sentPackets ?? 0) > 0n,
    );
    if (total >= BigInt(sent) && !pending) return answer;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error("the collector did not finish the last blocks within 30 s");
}

async function curl(path) {
  const url = `http://localhost:8080/${QUERY}`;
  const argv = [
    `${ROOT}node_modules/.bin/buf`,
    "curl",
    "--http2-prior-knowledge",
    "--protocol",
    "grpc",
    url,
    "-d",
    '{"pageSize":10000}',
  ];
  const { stdout } = await path.collector.ns.exec(argv, { deadlineMs: 30_000 });
  return JSON.parse(stdout).blocks ?? [];
}

function sum(blocks, field) {
  return blocks.reduce((total, block) => total + BigInt(block[field] ?? 0), 0n);
}

function verdict(blocks, ledger, dropped, sent) {
  const complete = blocks.filter((block) => block.verdict === "LOSS_VERDICT_COMPLETE");
  const known = complete.filter((block) => ledger.blocks.has(BigInt(block.blockNumber)));
  const wrong = known.filter(
    (block) => ledger.blocks.get(BigInt(block.blockNumber)).dropped !== BigInt(block.lostPackets ?? 0),
  );
  const lost = sum(blocks, "lostPackets");
  say(`\nThe same through buf curl …/${QUERY}: ${blocks.length} blocks, ${complete.length} COMPLETE.`);
  say(`Sent ${sum(blocks, "sentPackets")} (of ${sent} by the generator), lost ${lost}; the router dropped ${dropped}.`);
  for (const block of wrong) say(`block ${block.blockNumber}: lost ${block.lostPackets}, the router says otherwise`);
  const agree =
    lost === dropped && sum(blocks, "sentPackets") === BigInt(sent) && known.length > 0 && wrong.length === 0;
  say(agree ? `They agree, and so do all ${known.length} blocks one by one.` : "THEY DO NOT AGREE.");
  return agree;
}
