import { createHmac } from "node:crypto";
import fc from "fast-check";
import { compress, hmacState, SHA256_CONSTANTS } from "./hmac-state.ts";

/** The HMAC of `message` from the states alone, as the packet programs take it. */
function hmacFrom(key: Uint8Array, message: Uint8Array): string {
  const { inner, outer } = hmacState(key);
  const digest = finish(inner, message);
  return Buffer.from(finish(outer, digest)).toString("hex");
}

function finish(begun: Uint32Array, message: Uint8Array): Uint8Array {
  const blocks = Math.ceil((message.length + 9) / 64);
  const padded = new Uint8Array(64 * blocks);
  padded.set(message);
  padded[message.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, 8 * (64 + message.length));
  let state = begun;
  for (let i = 0; i < blocks; i++) state = compress(state, padded.subarray(64 * i));
  const octets = new Uint8Array(32);
  state.forEach((word, i) => {
    new DataView(octets.buffer).setUint32(4 * i, word);
  });
  return octets;
}

test("the states give the HMAC that node:crypto gives, for keys of any length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), fc.uint8Array({ maxLength: 200 }), (key, message) => {
      expect(hmacFrom(key, message)).toBe(createHmac("sha256", key).update(message).digest("hex"));
    }),
  );
});

test("the round constants are those of the standard", () => {
  expect([SHA256_CONSTANTS[0], SHA256_CONSTANTS[63]]).toEqual([0x428a2f98, 0xc67178f2]);
});
