import { isIPv4, isIPv6, SocketAddress } from "node:net";
import fc from "fast-check";
import { familyOf, formatAddress, mapIpv4, parseAddress } from "./address.ts";
import { cidrContains, formatCidr, parseCidr } from "./cidr.ts";

const address = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(mapIpv4),
  // mostly zeros, so that runs of every place and length occur
  fc
    .array(fc.constantFrom(0, 0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
    .map((octets) => Uint8Array.from(octets)),
);

test("format and parse are inverse, and Node agrees with the text", () => {
  fc.assert(
    fc.property(address, (octets) => {
      const text = formatAddress(octets);
      expect(parseAddress(text)).toEqual(octets);
      expect(isIPv4(text)).toBe(familyOf(octets) === 4);
      // Node writes IPv4-compatible ::a.b.c.d dotted, RFC 5952 does not ask for it
      if (isIPv6(text) && octets.subarray(0, 12).some((octet) => octet !== 0)) {
        expect(new SocketAddress({ address: text, family: "ipv6" }).address).toBe(text);
      }
    }),
  );
});

test("Node and we accept the same text", () => {
  const soup = fc.array(
    fc.constantFrom(":", "::", ".", "0", "1", "ff", "fe80", "255", "256", "01", "12345", "g", "/", "%eth0", " "),
    {
      maxLength: 17,
    },
  );
  fc.assert(
    fc.property(soup, (parts) => {
      const text = parts.join("");
      if (text.includes("%")) return expect(parseAddress(text)).toBeUndefined();
      expect(parseAddress(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0DB8::0001", "2001:db8::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
])("RFC 5952: %s is %s", (text, canonical) => {
  expect(formatAddress(parseAddress(text)!)).toBe(canonical);
});

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["192.0.2.1", "192.0.2.1/32"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["::/0", "::/0"],
  ["2001:db8::1", "2001:db8::1/128"],
])("%s is the range %s", (text, canonical) => {
  const parsed = parseCidr(text);
  expect(parsed.ok && formatCidr(parsed.cidr)).toBe(canonical);
});

test.each([
  ["10.0.0.1/8", /beyond \/8; did you mean 10\.0\.0\.0\/8/],
  ["2001:db8::1/64", /beyond/],
  ["10.0.0.0/33", /prefix length/],
  ["10.0.0.0/", /prefix length/],
  ["10.0.0.0/08", /prefix length/],
  ["10.0.0.0/8/8", /prefix length/],
  ["10.0.0/8", /no IPv4/],
  ["010.0.0.0/8", /no IPv4/],
  ["::ffff:10.0.0.0/104", /IPv4-mapped/],
  ["", /no IPv4/],
])("%s is refused", (text, reason) => {
  expect(parseCidr(text)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
});

test("a range holds exactly the addresses that share its prefix, of its own family", () => {
  fc.assert(
    fc.property(address, fc.nat(128), fc.nat(127), (octets, length, flipped) => {
      const bits = familyOf(octets) === 4 ? 32 : 128;
      const prefixLength = length % (bits + 1);
      const base = octets.slice();
      for (let bit = 128 - bits + prefixLength; bit < 128; bit++) base[bit >> 3]! &= ~(0x80 >> (bit & 7));
      const parsed = parseCidr(`${formatAddress(base)}/${prefixLength}`);
      // a masked IPv6 address may become IPv4-mapped; then it is written differently
      if (familyOf(base) !== familyOf(octets)) return;
      if (!parsed.ok) throw new Error(parsed.reason);
      expect(cidrContains(parsed.cidr, octets)).toBe(true);
      const other = octets.slice();
      other[flipped >> 3]! ^= 0x80 >> (flipped & 7);
      const within = flipped >= 128 - bits + prefixLength;
      expect(cidrContains(parsed.cidr, other)).toBe(within && familyOf(other) === familyOf(octets));
    }),
  );
});
