import { readFileSync } from "node:fs";
import { buildPacket } from "@waymark/packet";
import { describePrivileged, type Namespace, sendFrames, waitFor } from "@waymark/testkit";
import { encodeReflectorPacket } from "../src/codec/reflector-packet.ts";
import { DEADLINE_MS, DEVICE, FAR, NEAR, PORT, SOURCE_PORT, StampPath } from "./stamp-path.ts";

const SESSIONS = 20;
const PER_SESSION = 10_000;
const FUZZED = 10_000;
/** Ticks a second of the times in /proc. */
const TICKS = 100;

/** Seconds of processor time of a process, the kernel's for it included. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

describePrivileged("under load", { tools: ["ip", "ping"] }, () => {
  test("20 sessions at once, 1 kHz each for 10 s: nothing is falsely lost", async () => {
    const far = Array.from({ length: SESSIONS }, (_, i) => `10.66.1.${i + 1}`);
    await using path = await StampPath.create({ far: far.map((address) => `${address}/16`) });
    const reflector = await path.reflector(["--stateful"]);
    await path.acquaint();
    const before = cpuSeconds(reflector.pid);
    const { summaries, code } = await path.sender([...far, "-c", String(PER_SESSION), "-i", "0.001", "-w", "5"]);
    const microseconds = ((cpuSeconds(reflector.pid) - before) * 1e6) / (SESSIONS * PER_SESSION);
    expect(code).toBe(0);
    expect(summaries.map(({ host }) => host)).toEqual(far);
    for (const summary of summaries) {
      expect(summary).toMatchObject({
        sent_packets: PER_SESSION,
        received_packets: PER_SESSION,
        lost_packets: 0,
        duplicate_packets: 0,
        late_packets: 0,
      });
    }
    await reflector.stop();
    const all = String(SESSIONS * PER_SESSION);
    expect(JSON.parse(reflector.stderr.at(-1) ?? "{}")).toMatchObject({ reflected: all, stamped: all });
    process.stdout.write(
      `reflector: ${microseconds.toFixed(2)} µs of its process's time a packet (programs run in the sender's)\n`,
    );
  }, 120_000);

  test("10 000 fuzzed packets to both ends change nothing but counters", async () => {
    await using path = await StampPath.create();
    const reflector = await path.reflector(["--stateful", "--session-table", "4"]);
    await path.acquaint();
    const argv = [
      "sender",
      DEVICE,
      FAR[0],
      "-i",
      "0.02",
      "-s",
      String(SOURCE_PORT),
      "--format",
      "jsonl",
      "--samples",
      "--ssid",
      "5",
    ];
    const sender = path.spawn(path.near, argv);
    await sender.waitForLine(/"kind":"received"/, { deadlineMs: DEADLINE_MS });
    const macs = { near: await path.near.macAddress(DEVICE), far: await path.far.macAddress(DEVICE) };
    await sendAll(path.far, fuzzedAnswers(macs));
    await sendAll(path.near, fuzzedRequests(macs));
    const answers = sender.stdout.length;
    await waitFor(() => sender.stdout.length > answers + 20 || undefined, {
      deadlineMs: DEADLINE_MS,
      what: "more answers",
    });
    sender.signal("SIGINT");
    expect(await sender.exited).toMatchObject({ code: 0 });
    const lines = sender.stdout.map((line) => JSON.parse(line) as Record<string, unknown>);
    const summary = lines.find(({ type }) => type === "summary");
    expect(summary).toMatchObject({ lost_packets: 0, duplicate_packets: 0, late_packets: 0, reordered_packets: 0 });
    expect(summary?.["received_packets"]).toBe(summary?.["sent_packets"]);
    const sequences = lines.flatMap(({ type, sequence }) => (type === "answer" ? [sequence] : []));
    expect(sequences).toEqual(sequences.map((_, index) => index));
    expect((await reflector.stop()).code).toBe(0);
    const counted = JSON.parse(reflector.stderr.at(-1) ?? "{}") as Record<string, string>;
    // everything was looked at, and most of it refused
    expect(Number(counted["table_full"])).toBeGreaterThan(1000);
    expect(Number(counted["unhandled_header"])).toBeGreaterThan(100);
    expect(counted["stamp_failed"]).toBeUndefined();
  }, 120_000);
});

/** As many different frames as the tool takes at once. */
const AT_ONCE = 1000;

async function sendAll(ns: Namespace, frames: readonly Uint8Array[]): Promise<void> {
  for (let from = 0; from < frames.length; from += AT_ONCE) {
    const some = frames.slice(from, from + AT_ONCE);
    await sendFrames(ns, DEVICE, some, { count: some.length, rate: 10_000 });
  }
}

interface Macs {
  readonly near: string;
  readonly far: string;
}

/** SplitMix32: the same packets in every run. */
function randomOctets(seed: number, length: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) & 0xff;
  });
}

/** To the sender: from the reflector's address and port, some with plausible fields and all with a T1 that is not one. */
function fuzzedAnswers({ near, far }: Macs): Uint8Array[] {
  return Array.from({ length: FUZZED / 2 }, (_, n) => {
    const random = randomOctets(n, 44 + (n % 90));
    const plausible = encodeReflectorPacket("unauthenticated", {
      sequence: n,
      timestamp: 1n,
      errorEstimate: 1,
      ssid: 5,
      receiveTimestamp: 1n,
      senderSequence: n % 64,
      senderTimestamp: BigInt(n) << 32n,
      senderErrorEstimate: 1,
      senderTtl: 255,
    });
    const payload = n % 2 === 0 ? random : plausible;
    return buildPacket({
      ethernet: { source: far, destination: near },
      ipv4: { source: FAR[0], destination: NEAR[0] },
      transport: { kind: "udp", sourcePort: PORT, destinationPort: SOURCE_PORT, payload },
    });
  });
}

/** To the reflector: any octets of any length, from 250 ports. */
function fuzzedRequests({ near, far }: Macs): Uint8Array[] {
  return Array.from({ length: FUZZED / 2 }, (_, n) =>
    buildPacket({
      ethernet: { source: near, destination: far },
      ipv4: { source: NEAR[0], destination: FAR[0], ...(n % 10 === 0 && { options: randomOctets(n, 8) }) },
      transport: {
        kind: "udp",
        sourcePort: 50_000 + (n % 250),
        destinationPort: PORT,
        payload: randomOctets(n + FUZZED, n % 300),
        ...(n % 3 === 0 && { checksum: n & 0xffff }),
      },
    }),
  );
}
