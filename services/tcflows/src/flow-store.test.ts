import fc from "fast-check";
import { FIELD, FlowStore, wordsOf } from "./flow-store.ts";

/** Keys that differ in one word only. */
const keyOf = (n: number) => String.fromCharCode(n & 0xff, n >> 8).padEnd(48, "\0");

test("holds what a Map holds, whatever comes and goes", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("add", "remove"), fc.nat(60)), { maxLength: 400 });
  fc.assert(
    fc.property(steps, (actions) => {
      const store = new FlowStore();
      const model = new Map<string, number>();
      for (const [action, n] of actions) {
        const id = keyOf(n);
        const slot = store.find(wordsOf(id), 0);
        expect(slot).toBe(model.get(id) ?? -1);
        if (action === "add" && slot < 0) model.set(id, store.add(wordsOf(id), 0));
        if (action === "remove" && slot >= 0) {
          store.remove(slot);
          model.delete(id);
        }
      }
      expect(store.size).toBe(model.size);
      for (const [id, slot] of model) expect([store.has(slot), store.id(slot)]).toEqual([true, id]);
    }),
  );
});

test("grows, finds all of 50 000, and gives back slots with empty rows", () => {
  const store = new FlowStore();
  const slots = Array.from({ length: 50_000 }, (_, n) => store.add(wordsOf(keyOf(n)), 0));
  for (const slot of slots) {
    const { slab, base } = store.at(slot);
    slab[base + FIELD.packets] = slot + 1;
  }
  for (let n = 0; n < 50_000; n += 2) store.remove(slots[n] ?? -1);
  expect(slots.map((_, n) => store.find(wordsOf(keyOf(n)), 0))).toEqual(slots.map((slot, n) => (n % 2 ? slot : -1)));
  const slot = store.add(wordsOf(keyOf(0)), 0);
  const { slab, base } = store.at(slot);
  expect([slot < store.end, slab[base + FIELD.packets], store.size]).toEqual([true, 0, 25_001]);
});
