import { readFileSync, rmSync } from "node:fs";
import { killChildren, running, startCollectorProcess } from "./children.ts";
import { Pusher, queryClient } from "./harness.ts";
import { block, flow, L, reportOf } from "./history.ts";
import { freePort, temporaryDirectory, until } from "./temporary.ts";

const directory = temporaryDirectory();
const env = { HOME: directory.path, TZ: "UTC" };
afterEach(killChildren);
afterAll(() => directory.remove());

const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const recent = (role: "source" | "sink", packets: bigint, blockNumber = nowNs() / L - 1n) =>
  reportOf({ ...block(role, blockNumber, { flows: [flow("default", packets)] }), storedNs: nowNs() });

test("runs as the altmark tool's collector did: a port, and printed lines", async () => {
  const port = await freePort();
  const api = await freePort();
  const child = startCollectorProcess([String(port), "--store", `${directory.path}/a`], {
    ...env,
    WAYMARK_LISTEN: `127.0.0.1:${api}`,
  });
  await running(child);
  const pusher = new Pusher(port);
  const number = nowNs() / L - 1n;
  await pusher.push(recent("source", 100n, number), recent("sink", 99n, number));
  const time = new Date(Number((number * L) / 1_000_000n)).toISOString().slice(0, 19).replace("T", " ");
  await until("a line", () => (child.stdout() !== "" ? true : undefined));
  expect(child.stdout()).toBe(`[${time}] loss=1\n`);

  const second = startCollectorProcess([String(await freePort()), "--store", `${directory.path}/a`], env);
  expect(await second.ended).toBe(1);
  const inUse = `/a is in use by the collector with process id ${child.process.pid}`;
  expect(second.stderr()).toMatch(new RegExp(`^collector: .*${inUse}\n$`));
  // Nor does a lock file that somebody has removed make two of one store.
  rmSync(`${directory.path}/a/collector.lock`);
  const third = startCollectorProcess([String(await freePort()), "--store", `${directory.path}/a`], env);
  expect(await third.ended).toBe(1);
  expect(third.stderr()).toContain("the engine does not take");

  child.process.kill("SIGTERM");
  expect(await child.ended).toBe(0);
  expect(readFileSync(`${directory.path}/a/collector.lock`, "utf8")).toBe("");
  pusher.close();
}, 60_000);

test("SIGTERM stores what has been taken, acknowledges it, and then ends", async () => {
  const port = await freePort();
  const store = `${directory.path}/b`;
  const api = await freePort();
  const options = [String(port), "--listen", `127.0.0.1:${api}`, "--store", store];
  const child = startCollectorProcess(options, env);
  await running(child);
  const pusher = new Pusher(port);
  await pusher.push(recent("source", 1n));
  for (let i = 0n; i < 200n; i++) pusher.send(recent("source", i, nowNs() / L - 2n - i));
  child.process.kill("SIGTERM");
  expect(await child.ended).toBe(0);
  await until("the stream to end", () => pusher.ended);
  const acknowledged = pusher.responses.length;
  pusher.close();

  const again = startCollectorProcess(options, env);
  await running(again);
  const { blocks } = await queryClient(api).listLoss({});
  expect(blocks.length).toBeGreaterThanOrEqual(acknowledged);
  again.process.kill("SIGTERM");
  expect(await again.ended).toBe(0);
}, 60_000);

test("a lock that a killed collector left behind is taken over", async () => {
  const store = `${directory.path}/c`;
  const options = async () => [String(await freePort()), "--listen", `127.0.0.1:${await freePort()}`, "--store", store];
  const child = startCollectorProcess(await options(), env);
  await running(child);
  child.process.kill("SIGKILL");
  await child.ended;
  expect(readFileSync(`${store}/collector.lock`, "utf8")).toBe(`${child.process.pid}\n`);
  const again = startCollectorProcess(await options(), env);
  await running(again);
  again.process.kill("SIGINT");
  expect(await again.ended).toBe(0);
}, 60_000);

test("a block that is decided while no collector runs, or stored just before a kill, is printed once", async () => {
  const S = 1_000_000_000n;
  const port = await freePort();
  const options = [String(port), "--listen", `127.0.0.1:${await freePort()}`, "--store", `${directory.path}/f`];
  const short = { intervalNs: S, guardNs: S / 4n };
  const lineOf = (number: bigint, text: string) =>
    `[${new Date(Number(number) * 1000).toISOString().slice(0, 19).replace("T", " ")}] ${text}`;
  const first = startCollectorProcess(options, env);
  await running(first);
  const pusher = new Pusher(port);
  // Its time is up, 10.5 s after its end, two seconds from now.
  const lonely = nowNs() / S - 9n;
  const pair = lonely - 100n;
  await pusher.push(reportOf({ ...block("source", lonely, { ...short, boot: "b1" }), storedNs: nowNs() }));
  const both = { ...short, boot: "b2", id: "quick", path: "quick" };
  pusher.send(
    reportOf({ ...block("source", pair, both), storedNs: nowNs() }),
    reportOf({ ...block("sink", pair, both), storedNs: nowNs() }),
  );
  await pusher.answered(3);
  first.process.kill("SIGKILL");
  await first.ended;
  pusher.close();
  const dueMs = Number(((lonely + 1n) * S + 10n * S + S / 2n) / 1_000_000n);
  await until("the block's time to be up", () => (Date.now() > dueMs ? true : undefined));

  const second = startCollectorProcess(options, env);
  await running(second);
  const missing = lineOf(lonely, "loss=? (missing sink) path=default flow=default");
  await until("the line", () => (second.stdout().includes(missing) ? true : undefined));
  const quick = lineOf(pair, "loss=0");
  expect((first.stdout() + second.stdout()).split("\n").filter((line) => line.startsWith(quick))).toHaveLength(1);
  second.process.kill("SIGTERM");
  expect(await second.ended).toBe(0);

  const third = startCollectorProcess(options, env);
  await running(third);
  const again = new Pusher(port);
  await again.push(reportOf({ ...block("sink", lonely, { ...short, boot: "b3" }), storedNs: nowNs() }));
  await until("a line", () => (third.stdout() !== "" ? true : undefined));
  expect(third.stdout()).toBe(`${lineOf(lonely, "loss=0 (revised) path=default flow=default")}\n`);
  again.close();
}, 90_000);

test("says in one line what is wrong, and exits with 2 for a wrong command line, 1 for a port that is taken", async () => {
  const wrong = startCollectorProcess(["--lisen", "8080"], env);
  expect(await wrong.ended).toBe(2);
  expect(wrong.stderr()).toMatch(/^collector: .*--listen.*\n$/);

  const port = await freePort();
  const store = `${directory.path}/d`;
  const first = startCollectorProcess(
    [String(port), "--listen", `127.0.0.1:${await freePort()}`, "--store", store],
    env,
  );
  await running(first);
  const second = startCollectorProcess(
    [
      String(port),
      "--listen",
      `127.0.0.1:${await freePort()}`,
      "--store",
      `${directory.path}/e`,
      "--log-level",
      "silent",
    ],
    env,
  );
  expect(await second.ended).toBe(1);
  expect(second.stderr()).toMatch(new RegExp(`^collector: .*${port}: EADDRINUSE\n$`));
  expect(readFileSync(`${directory.path}/e/collector.lock`, "utf8")).toBe("");
  first.process.kill("SIGTERM");
  expect(await first.ended).toBe(0);
}, 60_000);
