import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPacket, PCAP_LINK, writePcap } from "@waymark/packet";
import { describeWithTools, exec, requireTool } from "@waymark/testkit";
import fc from "fast-check";
import { parseErrorEstimate } from "../src/codec/error-estimate.ts";
import { sealPacket } from "../src/codec/hmac.ts";
import type { Mode } from "../src/codec/mode.ts";
import { encodeReflectorPacket } from "../src/codec/reflector-packet.ts";
import { encodeRequestTlvs } from "../src/codec/request-tlv.ts";
import { encodeSenderPacket } from "../src/codec/sender-packet.ts";
import { decodeTime, encodeTime } from "../src/codec/time-stamp.ts";

const COUNT = 300;
const KEY = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const SECOND = 1_000_000_000n;
const FIELDS = [
  ...["seq_number", "timestamp", "error_estimate", "mbz1", "receive_timestamp", "sender_seq_number"],
  ...["sender_timestamp", "sender_error_estimate", "mbz2", "sender_ttl", "padding"],
] as const;

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
// from 2003 to the new era of 2036: tshark takes other times of the sender for PTP's, whatever Z says
const time = fc.bigInt(1_050_000_000n * SECOND, 2_085_000_000n * SECOND).map((unixNs) => encodeTime(unixNs, "ntp", 0));
const estimate = uint(16).map((bits) => bits & ~0x4000);
const answer = fc.record({
  sequence: uint(32),
  timestamp: time,
  errorEstimate: estimate,
  ssid: uint(16),
  receiveTimestamp: time,
  senderSequence: uint(32),
  senderTimestamp: time,
  senderErrorEstimate: estimate,
  senderTtl: uint(8),
});
const tlvs = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((content) =>
  encodeRequestTlvs(
    [
      { kind: "class-of-service", dscp: 46 },
      { kind: "extra-padding", content },
    ],
    0,
  ),
);

function frame(payload: Uint8Array): Uint8Array {
  return buildPacket({
    ethernet: {},
    ipv6: { source: "2001:db8::1", destination: "2001:db8::2" },
    transport: { kind: "udp", sourcePort: 40_000, destinationPort: 862, payload },
  });
}

/** These fields of every packet as tshark tells them, checksums verified. */
async function tshark(
  folder: string,
  payloads: readonly Uint8Array[],
  fields: readonly string[],
  how: readonly string[],
) {
  const file = join(folder, "stamp.pcap");
  await writeFile(
    file,
    writePcap(
      payloads.map((payload) => ({ bytes: frame(payload) })),
      PCAP_LINK.ethernet,
    ),
  );
  const argv = [requireTool("tshark"), "-r", file, "-n", "-o", "udp.check_checksum:TRUE", ...how];
  const chosen = ["-T", "fields", "-E", "separator=|", ...fields.flatMap((field) => ["-e", field])];
  const { stdout } = await exec([...argv, ...chosen]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split("|"));
}

/** Nanoseconds since the Unix epoch of "Nov 14, 2023 22:13:20.123456788 UTC". */
function unixNs(text: string): bigint {
  const [, date, fraction = ""] = /^(.*)\.(\d{9}) UTC$/.exec(text) ?? [];
  if (date === undefined) throw new Error(`no time: ${text}`);
  return BigInt(Date.parse(`${date} UTC`)) * 1_000_000n + BigInt(fraction);
}

describeWithTools("tshark", ["tshark", "openssl"], () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "waymark-stamp-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test(`reads the same out of ${COUNT} unauthenticated answers, with and without TLVs, and finds nothing malformed`, async () => {
    const samples = fc.sample(fc.tuple(answer, fc.option(tlvs, { nil: new Uint8Array(0) })), {
      numRuns: COUNT,
      seed: 862,
    });
    const payloads = samples.map(([packet, tail]) =>
      Uint8Array.from([...encodeReflectorPacket("unauthenticated", packet), ...tail]),
    );
    const names = [...FIELDS.map((field) => `twamp.test.${field}`), "udp.checksum.status", "_ws.malformed"];
    const rows = await tshark(folder, payloads, names, ["-d", "udp.port==862,twamp.test"]);
    expect(rows).toHaveLength(COUNT);
    for (const [i, [packet, tail]] of samples.entries()) {
      const [seq, t3, ee, ssid, t2, senderSeq, t1, senderEe, mbz, ttl, padding, checksum, malformed] = rows[i]!;
      const numbers = [seq, ee, ssid, senderSeq, senderEe, mbz, ttl].map(Number);
      const { sequence, errorEstimate, senderSequence, senderErrorEstimate, senderTtl } = packet;
      expect(numbers).toEqual([
        sequence,
        errorEstimate,
        packet.ssid,
        senderSequence,
        senderErrorEstimate,
        0,
        senderTtl,
      ]);
      // tshark rounds down, we to the nearest
      for (const [text, bits] of [
        [t3, packet.timestamp],
        [t2, packet.receiveTimestamp],
        [t1, packet.senderTimestamp],
      ] as const) {
        const theirs = unixNs(text!);
        const ours = decodeTime(bits, "ntp", 0, theirs)!;
        expect(ours - theirs === 0n || ours - theirs === 1n).toBe(true);
      }
      // a TWAMP answer ends with the TTL: what follows is padding
      expect(padding).toBe(`000000${Buffer.from(tail).toString("hex")}`);
      expect([checksum, malformed]).toEqual(["1", ""]);
    }
  });

  test("reads sequence number, time and Error Estimate of requests", async () => {
    const samples = fc.sample(answer, { numRuns: 50, seed: 863 });
    const payloads = samples.map((packet) => encodeSenderPacket("unauthenticated", packet));
    const names = ["seq_number", "error_estimate.s", "error_estimate.scale", "error_estimate.multiplier", "mbz1"];
    const how = ["-d", "udp.port==862,twamp.test"];
    const rows = await tshark(
      folder,
      payloads,
      names.map((name) => `twamp.test.${name}`),
      how,
    );
    for (const [i, { sequence, errorEstimate, ssid }] of samples.entries()) {
      // the fields of the sender's Error Estimate that tshark looks for in a request come after a comma
      const row = rows[i]!.map((text) => Number(text.split(",")[0]));
      const { synchronised, scale, multiplier } = parseErrorEstimate(errorEstimate);
      expect(row).toEqual([sequence, synchronised ? 1 : 0, scale, multiplier, ssid]);
    }
  });

  test.each<Mode>(["unauthenticated", "authenticated"])("finds the checksum of %s packets right", async (mode) => {
    const samples = fc.sample(fc.tuple(answer, tlvs), { numRuns: 50, seed: 864 });
    const payloads = samples.flatMap(([packet, tail]) => [
      Uint8Array.from([...encodeSenderPacket(mode, packet), ...tail]),
      encodeReflectorPacket(mode, packet),
    ]);
    const rows = await tshark(folder, payloads, ["udp.checksum.status", "udp.length", "_ws.malformed"], []);
    expect(rows).toEqual(payloads.map((payload) => ["1", String(payload.length + 8), ""]));
  });

  test("openssl takes the same HMAC of authenticated packets", async () => {
    for (const packet of fc.sample(answer, { numRuns: 5, seed: 865 })) {
      for (const octets of [
        encodeSenderPacket("authenticated", packet),
        encodeReflectorPacket("authenticated", packet),
      ]) {
        sealPacket(octets, KEY);
        const key = `hexkey:${Buffer.from(KEY).toString("hex")}`;
        const argv = [requireTool("openssl"), "dgst", "-sha256", "-mac", "HMAC", "-macopt", key, "-r"];
        const { stdout } = await exec(argv, { input: octets.subarray(0, 96) });
        expect(Buffer.from(octets.subarray(96)).toString("hex")).toBe(stdout.slice(0, 32));
      }
    }
  });
});
