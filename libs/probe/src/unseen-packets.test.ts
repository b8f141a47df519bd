import { UnseenPackets } from "./unseen-packets.ts";

test("what the interface carried while nothing was seen is unseen", () => {
  const unseen = new UnseenPackets();
  expect([unseen.look(100n, false), unseen.look(110n, false), unseen.look(110n, false)]).toEqual([0n, 10n, 0n]);
  expect(unseen.total).toBe(10n);
});

test("an interface that counts late what was seen before the last look has hidden nothing", () => {
  const unseen = new UnseenPackets();
  unseen.look(100n, false);
  expect([unseen.look(100n, true), unseen.look(105n, false), unseen.look(108n, false)]).toEqual([0n, 0n, 3n]);
  expect(unseen.total).toBe(3n);
});
