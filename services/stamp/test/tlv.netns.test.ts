import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Capture, describePrivileged, REAL_SEGMENTS, readCapture } from "@waymark/testkit";
import { DEADLINE_MS, DEVICE, FAR, NEAR, PORT, SOURCE_PORT, StampPath } from "./stamp-path.ts";

interface TlvsLine {
  readonly type: "tlvs";
  readonly sequence: number;
  readonly tlvs: readonly ({ readonly kind: string } & Readonly<Record<string, unknown>>)[];
  readonly unrecognized: readonly number[];
  readonly malformed: boolean;
  readonly integrity: string;
}

const COUNT = 5;
const send = (path: StampPath, ...args: readonly string[]) =>
  path.spawn(path.near, [
    "sender",
    DEVICE,
    "-c",
    String(COUNT),
    "-i",
    "0.05",
    "-s",
    String(SOURCE_PORT),
    "--format",
    "jsonl",
    ...args,
  ]);

/** What a sender printed of TLVs, and its summaries. */
async function tlvsOf(path: StampPath, ...args: readonly string[]) {
  const child = send(path, ...args);
  expect(await child.exited).toMatchObject({ code: 0 });
  const lines = child.stdout.map((line) => JSON.parse(line) as { readonly type: string });
  return {
    tlvs: lines.filter((line): line is TlvsLine => line.type === "tlvs"),
    received: lines.flatMap((line) =>
      line.type === "summary" ? [(line as unknown as { received_packets: number }).received_packets] : [],
    ),
  };
}

const PEERS = [
  ["IPv4", FAR[0], NEAR[0]],
  ["IPv6", FAR[1], NEAR[1]],
] as const;

describePrivileged("TLVs, answered by user space with the kernel's time stamps", { tools: ["ip", "ping"] }, () => {
  test.each(PEERS)("%s: each says what it is for", async (_name, far, near) => {
    await using path = await StampPath.create({ offloads: REAL_SEGMENTS });
    await path.reflector(["--stateful"]);
    await path.acquaint();
    await using capture = await Capture.start(path.lab, path.near, DEVICE, { filter: `udp port ${PORT}` });
    const kinds = [
      "location",
      "timestamp-information",
      "class-of-service=46",
      "direct-measurement",
      "access-report=3gpp:unavailable",
      "follow-up-telemetry",
      `destination-address=${far}`,
      "return-path=same-link",
    ];
    const { tlvs, received } = await tlvsOf(
      path,
      far,
      "--ssid",
      "9",
      "--dscp",
      "10",
      "--padding",
      "33",
      ...kinds.flatMap((kind) => ["--tlv", kind]),
    );
    expect(received).toEqual([COUNT]);
    const mac = (await path.near.macAddress(DEVICE)).replaceAll(":", "");
    for (const [index, line] of tlvs.entries()) {
      expect(line).toMatchObject({ sequence: index, unrecognized: [], malformed: false, integrity: "none" });
      const followUp = line.tlvs.find(({ kind }) => kind === "follow-up-telemetry");
      expect(line.tlvs.filter((tlv) => tlv !== followUp)).toEqual([
        {
          kind: "location",
          source_port: SOURCE_PORT,
          destination_port: PORT,
          source_address: near,
          destination_address: far,
          source_mac: mac,
        },
        expect.objectContaining({ kind: "timestamp-information", timestamp_in: 2, timestamp_out: 2 }),
        { kind: "class-of-service", wanted_dscp: 46, received_dscp: 10, received_ecn: 0, refused: false },
        {
          kind: "direct-measurement",
          sender_transmitted: index + 1,
          reflector_received: index + 1,
          reflector_transmitted: index + 1,
        },
        // until the first is answered
        ...line.tlvs.filter(({ kind }) => kind === "access-report"),
        { kind: "destination-address" },
        { kind: "return-path" },
        { kind: "extra-padding", length: 33 },
      ]);
      expect(followUp).toBeDefined();
    }
    const reports = tlvs.map((line) => line.tlvs.filter(({ kind }) => kind === "access-report"));
    // sent once, and only again after 3 s without an answer (RFC 8972 section 4.6)
    expect(reports.flat()).toEqual([{ kind: "access-report", access_id: 1, return_code: 2 }]);
    expect(reports[0]).toHaveLength(1);
    await capture.stopAfter(2 * COUNT, DEADLINE_MS);
    const fields = [
      "udp.srcport",
      "udp.checksum.status",
      "udp.length",
      "ip.dsfield.dscp",
      "ipv6.tclass.dscp",
      "ip.ttl",
      "ipv6.hlim",
    ] as const;
    const packets = await readCapture(capture.path, fields);
    const answers = packets.filter((packet) => packet["udp.srcport"] === String(PORT));
    expect(answers).toHaveLength(COUNT);
    for (const packet of packets) {
      expect(packet["udp.checksum.status"]).toBe("1");
      expect(packet["ip.ttl"] || packet["ipv6.hlim"]).toBe("255");
    }
    const lengthsOf = (from: boolean) =>
      packets.flatMap((packet) => ((packet["udp.srcport"] === String(PORT)) === from ? [packet["udp.length"]] : []));
    expect(lengthsOf(true)).toEqual(lengthsOf(false));
    for (const answer of answers) expect(answer["ip.dsfield.dscp"] || answer["ipv6.tclass.dscp"]).toBe("46");
  });

  test("Follow-Up Telemetry: T3 of the answer before, as its packet carried it", async () => {
    await using path = await StampPath.create();
    await path.reflector(["--stateful"]);
    await path.acquaint();
    await using capture = await Capture.start(path.lab, path.near, DEVICE, { filter: `udp src port ${PORT}` });
    const { tlvs } = await tlvsOf(path, FAR[0], "--tlv", "follow-up-telemetry", "-i", "0.3");
    await capture.stopAfter(COUNT, DEADLINE_MS);
    const packets = await readCapture(capture.path, ["udp.payload"]);
    const sent = new Map(
      packets.map(({ "udp.payload": hex }) => [Number.parseInt(hex.slice(0, 8), 16), hex.slice(8, 24)]),
    );
    expect(tlvs).toHaveLength(COUNT);
    // none before the first; a slow machine may have been late with others
    const told = tlvs.flatMap(({ tlvs: all }) => all.filter((tlv) => BigInt(`0x${tlv["timestamp"]}`) > 0n));
    expect(told.length).toBeGreaterThan(0);
    for (const followUp of told) {
      const t3 = BigInt(`0x${sent.get(Number(followUp["answer_sequence"])) ?? "0"}`);
      // nanoseconds are kept, not units of 2^-32 s
      const apart = t3 - BigInt(`0x${String(followUp["timestamp"])}`);
      expect(apart <= 5n && apart >= -5n).toBe(true);
    }
  });

  test("a Return Path: no answer, another address that is allowed, another that is not", async () => {
    await using path = await StampPath.create();
    const reflector = await path.reflector(["--return-to", "10.66.0.0/24"]);
    await path.acquaint();
    const silent = await tlvsOf(path, FAR[0], "--tlv", "return-path=no-reply", "-w", "0.2");
    expect(silent.received).toEqual([0]);
    const allowed = await tlvsOf(path, FAR[0], "--tlv", `return-path=${NEAR[0]}`);
    expect(allowed.tlvs.map(({ unrecognized }) => unrecognized)).toEqual(new Array(COUNT).fill([]));
    const refused = await tlvsOf(path, FAR[0], "--tlv", "return-path=10.66.1.1");
    expect(refused.tlvs.map(({ unrecognized }) => unrecognized)).toEqual(new Array(COUNT).fill([10]));
    await reflector.stop();
    expect(JSON.parse(reflector.stderr.at(-1) ?? "{}")).toMatchObject({
      user_no_reply_requested: "5",
      user_answered: "10",
    });
  });

  test("authenticated: an HMAC TLV protects them; unauthenticated it may", async () => {
    await using path = await StampPath.create();
    const file = join(path.lab.folder, "keys");
    await writeFile(file, "* text:0123456789abcdef0123456789abcdef");
    const other = join(path.lab.folder, "other");
    await writeFile(other, "* hex:ffffffffffffffffffffffffffffffff");
    const argv = ["--tlv", "class-of-service=10", "--padding", "20"];
    const closed = await path.reflector(["--auth-key-file", file]);
    const signed = await tlvsOf(path, FAR[0], "--auth-key-file", file, ...argv);
    expect(signed.tlvs.map(({ integrity, tlvs }) => [integrity, tlvs.length])).toEqual(
      new Array(COUNT).fill(["verified", 2]),
    );
    await closed.stop();
    await path.reflector(["--tlv-key-file", file]);
    const open = await tlvsOf(path, FAR[0], "--tlv-key-file", file, ...argv);
    expect(open.tlvs.map(({ integrity }) => integrity)).toEqual(new Array(COUNT).fill("verified"));
    const wrong = await tlvsOf(path, FAR[0], "--tlv-key-file", other, ...argv);
    expect(wrong.tlvs.map(({ integrity, tlvs }) => [integrity, tlvs])).toEqual(new Array(COUNT).fill(["failed", []]));
    expect(wrong.received).toEqual([COUNT]);
  });

  test("TWAMP Light: 14 to 43 octets get the 44-octet answer", async () => {
    await using path = await StampPath.create();
    const reflector = await path.reflector();
    const script = `
      const socket = require("node:dgram").createSocket("udp4");
      const lengths = [14, 20, 41, 43, 44, 90];
      const seen = [];
      socket.on("message", (octets) => {
        seen.push([octets.readUInt32BE(0), octets.readUInt32BE(24), octets.length, octets.readBigUInt64BE(28).toString(16)]);
        if (seen.length === lengths.length) { console.log(JSON.stringify(seen.sort((a, b) => a[0] - b[0]))); socket.close(); }
      });
      socket.bind(${SOURCE_PORT}, () => lengths.forEach((length, n) => {
        const octets = Buffer.alloc(length);
        octets.writeUInt32BE(n, 0);
        octets.writeBigUInt64BE(0xe8fe6f801f9add37n, 4);
        octets.writeUInt16BE(0x9501, 12);
        setTimeout(() => socket.send(octets, ${PORT}, "${FAR[0]}"), 20 * n);
      }));`;
    const { stdout } = await path.near.exec([process.execPath, "-e", script], { deadlineMs: DEADLINE_MS });
    expect(JSON.parse(stdout)).toEqual([44, 44, 44, 44, 44, 90].map((length, n) => [n, n, length, "e8fe6f801f9add37"]));
    await reflector.stop();
    expect(JSON.parse(reflector.stderr.at(-1) ?? "{}")).toMatchObject({ user_path: "4", reflected: "2", stamped: "6" });
  });
});
