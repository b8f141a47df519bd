import { parseAddress } from "@waymark/packet";
import fc from "fast-check";
import { parseTlvOption, TLV_OPTION_FORMS } from "./tlv-option.ts";

const address = parseAddress("2001:db8::9")!;

test.each([
  ["location", { kind: "location", questions: ["source-mac", "source-ip", "destination-ip"] }],
  ["location=source,mac", { kind: "location", questions: ["source-ip", "source-mac"] }],
  ["timestamp-information", { kind: "timestamp-information" }],
  ["class-of-service=46", { kind: "class-of-service", dscp: 46 }],
  ["direct-measurement", { kind: "direct-measurement", sentPackets: 0 }],
  ["access-report=non-3gpp:unavailable", { kind: "access-report", accessId: 2, returnCode: 2 }],
  ["follow-up-telemetry", { kind: "follow-up-telemetry" }],
  ["destination-address=2001:db8::9", { kind: "destination-address", address }],
  ["return-path=no-reply", { kind: "return-path", path: { kind: "no-reply" } }],
  ["return-path=2001:db8::9", { kind: "return-path", path: { kind: "address", address } }],
])("%s", (text, tlv) => {
  expect(parseTlvOption(text)).toEqual({ ok: true, tlv });
});

test.each([
  ["cos=1", /^"cos" is none of location, timestamp-information, /],
  ["class-of-service=64", /^class-of-service: "64" is no DSCP from 0 to 63$/],
  ["class-of-service", /^class-of-service: "" is no DSCP from 0 to 63$/],
  ["location=port", /^location: "port" is none of mac, source, destination$/],
  ["follow-up-telemetry=1", /^follow-up-telemetry: takes no value, not "1"$/],
  ["access-report=4gpp:available", /^access-report: "4gpp:available" is not /],
  ["destination-address=host", /^destination-address: "host" is no address$/],
  ["return-path=elsewhere", /^return-path: "elsewhere" is not no-reply, same-link or an address$/],
])("%s is refused", (text, reason) => {
  expect(parseTlvOption(text)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
});

test("every form of the help text has a parser; any other text has a reason", () => {
  for (const form of TLV_OPTION_FORMS) {
    const result = parseTlvOption(form.split("=")[0]!);
    if (!result.ok) expect(result.reason).not.toMatch(/is none of/);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const result = parseTlvOption(text);
      expect(result.ok || result.reason.length > 0).toBe(true);
    }),
  );
});
