import fc from "fast-check";
import { type AuthKeys, parseAuthKeys } from "./auth-keys.ts";

const TEXT = "0123456789abcdef";
const OCTETS = new TextEncoder().encode(TEXT);

function keysOf(file: string): AuthKeys {
  const result = parseAuthKeys(file);
  if (!result.ok) throw new Error(result.reason);
  return result.keys;
}

function reasonOf(file: string): string {
  const result = parseAuthKeys(file);
  return result.ok ? "" : result.reason;
}

test("a key for an SSID beats the one for all others; each form says the same octets", () => {
  const hex = Buffer.from(OCTETS).toString("hex");
  const file = `# of the lab\n\n4660 hex:${hex}\r\n0x1235\ttext:${TEXT}\n* base64:MDEyMzQ1Njc4OWFiY2RlZg==\n7 text:a key with spaces in it\n8 ${TEXT}\n`;
  const keys = keysOf(file);
  for (const ssid of [4660, 0x1235, 8, 1, 0]) expect(keys.forSsid(ssid)).toEqual(OCTETS);
  expect(keys.forSsid(7)).toEqual(new TextEncoder().encode("a key with spaces in it"));
  expect(keysOf(`1 text:${TEXT}`).forSsid(2)).toBeUndefined();
});

test("what is wrong is named with its line and without the key", () => {
  expect(reasonOf("")).toBe("no key in it");
  expect(reasonOf(`\n1`)).toBe(
    'line 2: expected "SSID KEY", an SSID or * and hex:…, base64:…, text:… or text without a colon',
  );
  expect(reasonOf(`65536 text:${TEXT}`)).toBe('line 1: "65536" is no SSID from 0 to 65535, and not *');
  expect(reasonOf(`1 Hex:${TEXT}`)).toBe("line 1: the key is to be hex:…, base64:…, text:… or text without a colon");
  expect(reasonOf("1 hex:abc")).toBe("line 1: the key is no hex");
  expect(reasonOf("1 base64:MDEy*")).toBe("line 1: the key is no base64");
  expect(reasonOf("1 text:short")).toBe("line 1: the key has 5 octets; it needs 16 to 256");
  expect(reasonOf(`1 text:${TEXT}\n0x1 text:${TEXT}`)).toBe("line 2: a second key for SSID 1");
  expect(reasonOf(`* text:${TEXT}\n* text:${TEXT}`)).toBe("line 2: a second key for *");
  expect(reasonOf(Array.from({ length: 1025 }, (_, ssid) => `${ssid} text:${TEXT}`).join("\n"))).toBe(
    "line 1025: more than 1024 keys",
  );
});

test("any text is a file or has a reason of one line", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "binary" })), (text) => {
      const result = parseAuthKeys(text);
      if (!result.ok) expect(result.reason.split("\n")).toHaveLength(1);
    }),
  );
});
