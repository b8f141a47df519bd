import { parseAddress } from "@waymark/packet";
import type { ReplyTlv } from "../codec/reply-tlv.ts";
import { tlvFields, tlvLines } from "./tlv-text.ts";

const TLVS: readonly ReplyTlv[] = [
  { kind: "extra-padding", length: 3 },
  {
    kind: "location",
    location: {
      sourcePort: 4862,
      destinationPort: 862,
      sourceAddress: parseAddress("192.0.2.1")!,
      sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 9),
    },
  },
  { kind: "timestamp-information", syncSourceIn: 1, timestampIn: 2, syncSourceOut: 5, timestampOut: 77 },
  {
    kind: "class-of-service",
    classOfService: { wantedDscp: 10, receivedDscp: 46, receivedEcn: 1, reversePathRefused: true },
  },
  { kind: "direct-measurement", senderTransmitted: 9, reflectorReceived: 8, reflectorTransmitted: 7 },
  { kind: "access-report", accessId: 1, returnCode: 2 },
  { kind: "follow-up-telemetry", sequence: 6, timestamp: 2n ** 63n, method: 2 },
  { kind: "destination-address" },
  { kind: "return-path" },
];

test("each TLV is a line; what went wrong is told", () => {
  expect(tlvLines({ tlvs: TLVS, unrecognized: [200, 11], malformed: true, integrity: "verified" })).toEqual([
    "location: arrived from 192.0.2.1 port 4862 to ? port 862, from MAC 02:00:00:00:00:09",
    "time stamps: T2 by software (NTP), T3 by method 77 (free-running)",
    "class of service: arrived with DSCP 46 and ECN 1, DSCP 10 refused for the answer",
    "direct measurement: sent 9, reflector received 8, sent 7",
    "access report: acknowledged",
    "follow-up: T3 of answer 6 by software",
    "destination address: the reflector's own",
    "return path: as asked for",
    "not understood by the reflector: TLV 200, 11",
    "a TLV is malformed; what follows it was not read",
  ]);
  expect(tlvLines({ tlvs: [], unrecognized: [], malformed: false, integrity: "failed" })).toEqual([
    "TLVs discarded: their HMAC is wrong or missing",
  ]);
});

test("each TLV is a field of JSON", () => {
  const fields = tlvFields({ tlvs: TLVS, unrecognized: [], malformed: false, integrity: "none" });
  expect(JSON.parse(JSON.stringify(fields))).toMatchObject({
    extra_padding: { length: 3 },
    location: { source_address: "192.0.2.1", source_mac: "02:00:00:00:00:09", source_port: 4862 },
    class_of_service: { wanted_dscp: 10, reverse_path_refused: true },
    follow_up_telemetry: { sequence: 6, timestamp: "9223372036854775808" },
    malformed: false,
    integrity: "none",
  });
});
