import { listAgents } from "../src/store/agent-query.ts";
import { openChdb } from "../src/store/chdb.ts";
import { prepareSchema } from "../src/store/schema.ts";
import type { Store } from "../src/store/store.ts";
import { block, storeFacts } from "./history.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
let store: Store;

beforeAll(async () => {
  store = await openChdb(directory.path);
  await prepareSchema(store, 30 * 86_400);
});

afterAll(async () => {
  await store.close();
  directory.remove();
});

const B = BigInt(Math.floor(Date.now() / 10_000)) - 1000n;

test("a report that is stored twice hides no lost one, and is not less than none lost", async () => {
  const once = [1n, 2n, 5n].map((sequence) => block("source", B + sequence, { sequence }));
  const whole = [1n, 2n, 3n].map((sequence) => block("sink", B + sequence, { sequence }));
  // Two inserts, so that both are in the store as they would be after a lost answer.
  await storeFacts(store, [...once, ...whole]);
  await storeFacts(store, [once[2]!, whole[2]!]);
  const { items } = await listAgents(store, 0n, "", 10);
  expect(items.map(({ agent, lostReports }) => [agent, lostReports])).toEqual([
    ["left", 2n],
    ["right", 0n],
  ]);
});
