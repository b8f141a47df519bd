import { parseAddress } from "@waymark/packet";
import { mostFrequent } from "./most-frequent.ts";

const address = (text: string) => parseAddress(text) ?? new Uint8Array(16);

test("the most frequent first, at most five, the zero address left out", () => {
  const seen = ["10.0.0.2", "10.0.0.1", "10.0.0.2", "2001:db8::1", "10.0.0.2", "2001:db8::1", "10.0.0.3", "10.0.0.4"];
  const top = mostFrequent([...seen.map(address), new Uint8Array(16), address("10.0.0.5")]);
  expect(top.slice(0, 2)).toEqual(["10.0.0.2", "2001:db8::1"]);
  expect(top).toHaveLength(5);
  expect(mostFrequent([])).toEqual([]);
});
