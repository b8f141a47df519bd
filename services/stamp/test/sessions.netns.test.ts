import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Capture, describePrivileged, REAL_SEGMENTS, readCapture, waitFor } from "@waymark/testkit";
import { BIN, DEADLINE_MS, DEVICE, FAR, PORT, SOURCE_PORT, StampPath } from "./stamp-path.ts";

const KEYS = "* text:0123456789abcdef0123456789abcdef\n7 hex:00112233445566778899aabbccddeeff\n";

async function keyFile(path: StampPath, text = KEYS): Promise<string> {
  const file = join(path.lab.folder, "keys");
  await writeFile(file, text);
  return file;
}

describePrivileged("sender and reflector", { tools: ["ip", "ping", "script"] }, () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ["unauthenticated", [], []],
    ["stateful", ["--stateful"], ["--ssid", "7", "--dscp", "46"]],
    ["PTP time stamps at the reflector", ["--timestamps", "ptp"], []],
    ["PTP time stamps at the sender", [], ["--timestamps", "ptp"]],
    ["longer packets", [], ["--padding", "1000"]],
    ["Poisson", [], ["--schedule", "poisson"]],
  ])("understand each other over IPv4 and IPv6: %s", async (_name, atReflector, atSender) => {
    await using path = await StampPath.create();
    const reflector = await path.reflector(atReflector);
    const { summaries, code } = await path.sender([...FAR, "-c", "20", "-i", "0.02", ...atSender]);
    expect(code).toBe(0);
    expect(summaries.map(({ host }) => host)).toEqual(FAR);
    for (const { forward, backward, round_trip, residence, ...summary } of summaries) {
      expect(summary).toMatchObject({ sent_packets: 20, received_packets: 20, lost_packets: 0, duplicate_packets: 0 });
      expect(forward.count).toBe(20);
      // One kernel, one clock: nothing arrives before it was sent, but for what the kernel's fast clock may go back
      // while a processor that is kept from running updates it (ktime_get_mono_fast_ns in kernel/time/timekeeping.c).
      for (const { min_ns } of [forward, backward, residence]) expect(min_ns).toBeGreaterThanOrEqual(-100_000);
      expect(round_trip.min_ns).toBeGreaterThan(0);
    }
    expect((await reflector.stop()).code).toBe(0);
    expect(JSON.parse(reflector.stderr.at(-1) ?? "{}")).toMatchObject({ msg: "ended", reflected: "40", stamped: "40" });
  });

  test("authenticated: keys by SSID, replaced while both run; whoever has no key gets no answer", async () => {
    await using path = await StampPath.create();
    const file = await keyFile(path);
    const reflector = await path.reflector(["--stateful", "--auth-key-file", file]);
    const argv = [...FAR, "-c", "10", "-i", "0.02", "--ssid", "7"];
    const { summaries } = await path.sender([...argv, "--auth-key-file", file]);
    expect(summaries.map(({ received_packets }) => received_packets)).toEqual([10, 10]);

    const other = join(path.lab.folder, "other");
    await writeFile(other, "7 hex:ffffffffffffffffffffffffffffffff");
    const wrong = await path.sender([...argv, "--auth-key-file", other, "-w", "0.2"]);
    expect(wrong.summaries.map(({ lost_packets }) => lost_packets)).toEqual([10, 10]);
    const open = await path.sender([...argv, "-w", "0.2"]);
    expect(open.summaries.map(({ lost_packets }) => lost_packets)).toEqual([10, 10]);

    await writeFile(file, "7 hex:ffffffffffffffffffffffffffffffff");
    await reflector.waitForLine(/keys replaced/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    const right = await path.sender([...argv, "--auth-key-file", other]);
    expect(right.summaries.map(({ received_packets }) => received_packets)).toEqual([10, 10]);
    await reflector.stop();
    expect(JSON.parse(reflector.stderr.at(-1) ?? "{}")).toMatchObject({
      reflected: "40",
      bad_hmac: "20",
      malformed: "20",
    });
  });

  test("several senders at once from one port to one reflector do not take each other's answers", async () => {
    await using path = await StampPath.create();
    await path.reflector(["--stateful"]);
    const argv = [FAR[0], "-c", "100", "-i", "0.005"];
    const results = await Promise.all(["1", "2", "3"].map((ssid) => path.sender([...argv, "--ssid", ssid])));
    for (const { summaries } of results) {
      expect(summaries[0]).toMatchObject({ sent_packets: 100, received_packets: 100, duplicate_packets: 0 });
    }
  });

  test("idle sessions make room for others", async () => {
    await using path = await StampPath.create();
    const reflector = await path.reflector(["--stateful", "--session-table", "1", "--session-timeout", "1"]);
    const send = async (ssid: string) => {
      const { summaries } = await path.sender([FAR[0], "-c", "3", "-i", "0.02", "-w", "0.2", "--ssid", ssid]);
      return summaries[0]?.received_packets;
    };
    expect(await send("1")).toBe(3);
    // the first session is young, unless this machine took a second for what takes milliseconds
    const second = await send("2");
    await waitFor(async () => (await send("3")) === 3 || undefined, {
      deadlineMs: DEADLINE_MS,
      what: "room for a session",
    });
    await reflector.stop();
    const { table_full } = JSON.parse(reflector.stderr.at(-1) ?? "{}") as { readonly table_full?: string };
    if (second === 0) expect(Number(table_full)).toBeGreaterThanOrEqual(3);
  });

  test("Ctrl-C waits for what is under way, and prints the summary", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const child = path.spawn(path.near, ["sender", DEVICE, FAR[0], "-i", "0.05", "-s", String(SOURCE_PORT)]);
    await child.waitForLine(/seq=5 /, { deadlineMs: DEADLINE_MS });
    child.signal("SIGINT");
    expect((await child.exited).code).toBe(0);
    expect(child.stdout.join("\n")).toMatch(/^Packets: +sent (\d+) +received \1 +lost 0 /m);
  });

  test("on a terminal: figures redrawn in their place, and the summary at the end", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const words = [process.execPath, BIN, "sender", DEVICE, FAR[0], "-c", "10", "-i", "0.1", "-s", String(SOURCE_PORT)];
    const child = path.near.spawn(["script", "-qec", words.join(" "), "/dev/null"]);
    expect((await child.exited).code).toBe(0);
    const text = child.stdout.join("\n");
    // back over the lines that were drawn before
    expect(text).toContain("\u001b[");
    expect(text.match(/Roundtrip:/g)?.length).toBeGreaterThan(1);
    expect(text).toMatch(/STAMP statistics/);
    expect(text).toMatch(/sent 10 +received 10 +lost 0/);
  });

  test("the histogram: outliers in the first and last bin, each answer once", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const file = join(path.lab.folder, "hist");
    await path.sender([FAR[0], "-c", "30", "-i", "0.01", "--hist", "5", "-2", "-1", "--histpath", file]);
    const { stdout } = await path.near.exec(["cat", file]);
    expect(stdout).toBe("0 0 0 0 30\n");
  });

  test("the reflector's own view: every request once, in its output and its histogram", async () => {
    await using path = await StampPath.create();
    const file = join(path.lab.folder, "hist");
    const reflector = await path.reflector([
      "--output",
      "--format",
      "jsonl",
      "--hist",
      "4",
      "-1",
      "1000",
      "--histpath",
      file,
    ]);
    const { answers } = await path.sender([FAR[0], "-c", "30", "-i", "0.02", "--samples"]);
    const printed = reflector.stdout.length;
    await reflector.waitForLine(/./, { deadlineMs: DEADLINE_MS, from: printed });
    const line = JSON.parse(reflector.stdout.at(-1) ?? "{}") as Record<string, number>;
    const forward = answers.map(({ forward_ns }) => forward_ns ?? 0);
    expect(line).toMatchObject({ requests: 30, reflected: "30" });
    // T1 crosses the wire in units of 2^-32 s
    expect(Math.abs((line["near_end_min_ns"] ?? 0) - Math.min(...forward))).toBeLessThanOrEqual(2);
    expect(Math.abs((line["near_end_max_ns"] ?? 0) - Math.max(...forward))).toBeLessThanOrEqual(2);
    await reflector.stop();
    const { stdout } = await path.far.exec(["cat", file]);
    expect(
      stdout
        .trim()
        .split(" ")
        .map(Number)
        .reduce((sum, count) => sum + count, 0),
    ).toBe(30);
  });
});

describePrivileged("clocks that differ", { tools: ["ip", "ping"] }, () => {
  test.each([
    [100, "by 100 ms"],
    [-100, "by −100 ms"],
    [3_600_000, "by an hour"],
    [-3_600_000, "by minus an hour"],
  ])("%i ms: the round trip is what it is, one-way delays are off by the difference and say so", async (skewMs) => {
    await using path = await StampPath.create();
    await path.reflector([], { skewMs, maxErrorMs: 1, synchronised: true });
    const clock = { skewMs: 0, maxErrorMs: 1, synchronised: true };
    const { summaries, answers } = await path.sender([FAR[0], "-c", "20", "-i", "0.02", "--samples"], clock);
    expect(answers).toHaveLength(20);
    for (const { forward_ns, backward_ns, round_trip_ns } of answers) {
      const there = (forward_ns ?? 0) - skewMs * 1e6;
      const back = (backward_ns ?? 0) + skewMs * 1e6;
      // without the skew both are delays of a veth: positive, and all of the round trip
      expect([there > 0, back > 0, there + back]).toEqual([true, true, round_trip_ns]);
    }
    const [summary] = summaries;
    // the two clocks claim to be within 1 ms of UTC each, which what they show contradicts
    expect(summary?.one_way_trust).toBe("contradicted");
    // each Error Estimate is the least of its form that is no less
    expect(summary?.one_way_error_ns).toBeGreaterThanOrEqual(2e6);
    expect(summary?.one_way_error_ns).toBeLessThan(2.1e6);
    const offset = summary?.clock_offset_ns ?? 0;
    expect(Math.abs(offset - skewMs * 1e6)).toBeLessThanOrEqual(summary?.round_trip.max_ns ?? 0);
  });

  test.each([
    [true, true, "trusted"],
    [true, false, "unsynchronised"],
    [false, true, "unsynchronised"],
  ])("synchronised: sender %j, reflector %j: %s", async (near, far, trust) => {
    await using path = await StampPath.create();
    await path.reflector([], { skewMs: 0, synchronised: far, maxErrorMs: 0.25, taiOffsetS: 37 });
    const clock = { skewMs: 0, synchronised: near, maxErrorMs: 0.25, taiOffsetS: 37 };
    const { summaries } = await path.sender([FAR[0], "-c", "10", "-i", "0.02"], clock);
    expect(summaries[0]).toMatchObject({ received_packets: 10, one_way_trust: trust, synchronised: near && far });
  });

  test("a clock that is set while it measures: round trips stay, one-way delays move by as much, nothing is lost", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const argv = ["sender", DEVICE, FAR[0], "-i", "0.02", "-s", String(SOURCE_PORT), "--format", "jsonl", "--samples"];
    const sender = path.spawn(path.near, argv, { skewMs: 0 });
    const answered = (n: number) =>
      waitFor(() => sender.stdout.length >= n || undefined, { deadlineMs: DEADLINE_MS, what: `${n} answers` });
    await answered(20);
    sender.write("step 60000\n");
    await sender.waitForLine(/wall clock stepped/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    await answered(sender.stdout.length + 20);
    sender.signal("SIGINT");
    expect((await sender.exited).code).toBe(0);
    const lines = sender.stdout.map((line) => JSON.parse(line) as Record<string, number | string>);
    const answers = lines.filter(({ type }) => type === "answer");
    const before = answers[0]?.["forward_ns"] as number;
    const after = answers.at(-1)?.["forward_ns"] as number;
    expect([before > 0, before < 1e9, after < -59e9]).toEqual([true, true, true]);
    for (const { round_trip_ns } of answers) expect(Math.abs(Number(round_trip_ns))).toBeLessThan(30e9);
    expect(lines.at(-1)).toMatchObject({ type: "summary", lost_packets: 0, late_packets: 0 });
    expect(lines.at(-1)).toMatchObject({ one_way_trust: "clock-set", synchronised: false });
  });

  test("--enforce-ptp wants a PTP daemon that runs", async () => {
    await using path = await StampPath.create();
    const argv = ["reflector", DEVICE, "--enforce-ptp"];
    const without = path.spawn(path.far, argv, { skewMs: 0 });
    expect(await without.exited).toMatchObject({ code: 3 });
    expect(without.stderr).toEqual([expect.stringMatching(/--enforce-ptp.*ptp4l/)]);
    const daemon = join(path.lab.folder, "ptp4l");
    await path.far.exec(["cp", "/bin/sleep", daemon]);
    path.far.spawn([daemon, "60"]);
    const started = path.spawn(path.far, argv, { skewMs: 0 });
    await started.waitForLine(/"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
  });

  test("--enforce-sync does not start on a clock that is not synchronised", async () => {
    await using path = await StampPath.create();
    const clock = { skewMs: 0, synchronised: false };
    const child = path.spawn(path.far, ["reflector", DEVICE, "--enforce-sync"], clock);
    expect(await child.exited).toMatchObject({ code: 3 });
    expect(child.stderr).toEqual([expect.stringMatching(/--enforce-sync.*not synchronised/)]);
  });
});

describePrivileged("as others read it", { tools: ["ip", "tshark", "tcpdump", "ethtool"] }, () => {
  test.each<[string, boolean]>([
    ["unauthenticated", false],
    ["authenticated", true],
  ])(
    "tshark finds every packet well formed, all checksums right without offloads: %s",
    async (_name, authenticated) => {
      await using path = await StampPath.create({ offloads: REAL_SEGMENTS });
      const auth = authenticated ? ["--auth-key-file", await keyFile(path)] : [];
      await path.reflector(["--stateful", ...auth]);
      await using capture = await Capture.start(path.lab, path.near, DEVICE, { filter: `udp port ${PORT}` });
      await path.sender([...FAR, "-c", "10", "-i", "0.02", "--ssid", "7", "--dscp", "10", ...auth]);
      await capture.stopAfter(40, DEADLINE_MS);
      const fields = [
        "udp.checksum.status",
        "ip.checksum.status",
        "ip.ttl",
        "ipv6.hlim",
        "ip.dsfield.dscp",
        "udp.length",
      ] as const;
      const packets = await readCapture(capture.path, fields);
      expect(packets).toHaveLength(40);
      const length = authenticated ? "120" : "52";
      for (const packet of packets) {
        const isV4 = packet["ip.ttl"] !== "";
        expect(packet).toEqual({
          "udp.checksum.status": "1",
          "ip.checksum.status": isV4 ? "1" : "",
          "ip.ttl": isV4 ? "255" : "",
          "ipv6.hlim": isV4 ? "" : "255",
          "ip.dsfield.dscp": isV4 ? "10" : "",
          "udp.length": length,
        });
      }
      expect(await readCapture(capture.path, ["frame.number"], "_ws.malformed")).toEqual([]);
    },
  );
});

describePrivileged("safety", { tools: ["ip", "ping"] }, () => {
  test("two reflectors that are set on each other stay silent", async () => {
    await using path = await StampPath.create();
    const far = await path.reflector();
    const near = path.spawn(path.near, ["reflector", DEVICE]);
    await near.waitForLine(/"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    // requests that come from the other reflector's port, as somebody could forge them
    const forger = `
      const socket = require("node:dgram").createSocket("udp4");
      const octets = Buffer.from("${"00".repeat(4)}e8fe6f801f9add379501${"00".repeat(30)}", "hex");
      socket.bind(${PORT}, () => {
        for (let n = 0; n < 3; n++) socket.send(octets, ${PORT}, "${FAR[0]}");
        socket.send(octets, ${PORT}, "${FAR[0]}", () => setTimeout(() => socket.close(), 500));
      });`;
    await path.near.exec([process.execPath, "-e", forger]);
    await Promise.all([near.stop(), far.stop()]);
    const counted = [near, far].map((child) => JSON.parse(child.stderr.at(-1) ?? "{}") as Record<string, string>);
    expect(counted[1]).toMatchObject({ reflected: "4", stamped: "4" });
    expect([counted[0]?.["answer"], counted[0]?.["reflected"]]).toEqual(["4", undefined]);
  });

  test("what comes from elsewhere to the sender's port reaches its application", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const script = `
      const socket = require("node:dgram").createSocket({ type: "udp4", reuseAddr: true });
      socket.on("message", (octets, from) => console.log(octets.length, from.port));
      socket.bind(${SOURCE_PORT}, () => console.log("ready"));`;
    const application = path.near.spawn([process.execPath, "-e", script]);
    await application.waitForLine(/ready/, { deadlineMs: DEADLINE_MS });
    const sender = path.spawn(path.near, [
      "sender",
      DEVICE,
      FAR[0],
      "-i",
      "0.02",
      "-s",
      String(SOURCE_PORT),
      "--format",
      "jsonl",
    ]);
    await sender.waitForLine(/"measuring"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    const stranger = `
      const socket = require("node:dgram").createSocket("udp4");
      const octets = Buffer.alloc(44, 7);
      socket.bind(5555, () => {
        let left = 50;
        const timer = setInterval(() => (left-- > 0 ? socket.send(octets, ${SOURCE_PORT}, "10.66.0.1") : (clearInterval(timer), socket.close())), 2);
      });`;
    await path.far.exec([process.execPath, "-e", stranger]);
    await waitFor(() => application.stdout.filter((line) => line === "44 5555").length === 50 || undefined, {
      deadlineMs: DEADLINE_MS,
      what: "50 packets of a stranger at the application",
    });
    sender.signal("SIGINT");
    await sender.exited;
    const summary = sender.stdout.map((line) => JSON.parse(line)).find(({ type }) => type === "summary");
    expect(summary).toMatchObject({ lost_packets: 0, duplicate_packets: 0 });
  });
});
