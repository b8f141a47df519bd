import { Code, ConnectError } from "@connectrpc/connect";
import { silentLogger } from "@waymark/agent";
import { answer } from "../src/api/answer.ts";
import { openChdb } from "../src/store/chdb.ts";
import type { Store } from "../src/store/store.ts";
import { temporaryDirectory } from "./temporary.ts";

const directory = temporaryDirectory();
let store: Store;

beforeAll(async () => {
  store = await openChdb(directory.path);
});

afterAll(async () => {
  await store.close();
  directory.remove();
});

test.each([
  ["memory", "SELECT length(groupArray(number)) FROM numbers(1000000000)"],
  ["time", "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) SETTINGS max_execution_time = 1"],
])(
  "a question that takes too much %s is given up, whoever asked is told why, and the store goes on",
  async (_, sql) => {
    const error = await answer(silentLogger, () => store.query(sql)).catch((reason: unknown) => reason);
    expect(ConnectError.from(error).code).toBe(Code.ResourceExhausted);
    expect(ConnectError.from(error).message).toMatch(/shorter range of time/);
    expect(await store.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  },
);
