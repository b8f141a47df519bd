import { formatBytes } from "./units.ts";

test.each([
  [0, "0"],
  [882, "882"],
  [1023, "1023"],
  [1024, "1.00 KiB"],
  [1396, "1.36 KiB"],
  [357_591, "349.21 KiB"],
  [1_048_575, "1.00 MiB"],
  [135_456_104, "129.18 MiB"],
  [1_385_126_953, "1.29 GiB"],
  [2 ** 40, "1.00 TiB"],
  [1.5 * 2 ** 50, "1.50 PiB"],
])("%d octets are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
