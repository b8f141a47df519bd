import fc from "fast-check";
import { ByteBudget } from "./byte-budget.ts";

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("lets in only as many as there is room for, in the order in which they came", async () => {
  const budget = new ByteBudget(10);
  const inside: string[] = [];
  const enter = (name: string, bytes: number) => void budget.acquire(bytes).then(() => inside.push(name));
  enter("a", 6);
  enter("b", 6);
  enter("c", 4);
  enter("d", 4);
  await settled();
  expect(inside).toEqual(["a"]);
  budget.release(6);
  await settled();
  expect(inside).toEqual(["a", "b", "c"]);
  budget.release(4);
  await settled();
  expect(inside).toEqual(["a", "b", "c", "d"]);
});

test("what alone is more than the limit goes alone", async () => {
  const budget = new ByteBudget(10);
  await budget.acquire(1);
  let large = false;
  void budget.acquire(50).then(() => {
    large = true;
  });
  await settled();
  expect(large).toBe(false);
  budget.release(1);
  await settled();
  expect(large).toBe(true);
  budget.release(50);
  expect(budget.used).toBe(0);
});

test("never holds more than its limit, and everybody gets in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 10 }), { maxLength: 40 }), async (sizes) => {
      const budget = new ByteBudget(10);
      let done = 0;
      await Promise.all(
        sizes.map(async (bytes) => {
          await budget.acquire(bytes);
          expect(budget.used).toBeLessThanOrEqual(10);
          await settled();
          budget.release(bytes);
          done++;
        }),
      );
      expect([done, budget.used]).toEqual([sizes.length, 0]);
    }),
    { numRuns: 30 },
  );
});
