import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { CommandError } from "../src/index.ts";
import { type CollectorStub, startCollectorStub } from "./collector-stub.ts";
import {
  closePublishers,
  expectBalanced,
  only,
  openPublisher,
  publishBlocks,
  sequencesTo,
  until,
} from "./publisher-harness.ts";

jest.setTimeout(30_000);

let collector: CollectorStub;
let spoolDir: string;

beforeEach(async () => {
  spoolDir = mkdtempSync(join(tmpdir(), "waymark-spool-"));
  collector = await startCollectorStub();
  await collector.stop();
});

afterEach(async () => {
  await closePublishers();
  await collector[Symbol.asyncDispose]();
  rmSync(spoolDir, { recursive: true, force: true });
});

/** Published by a process that is then killed with SIGKILL. */
async function publishAndDie(bootId: string, count: number): Promise<void> {
  const script = join(import.meta.dirname, "spool-child.ts");
  const argv = ["--conditions=source", "--import", "tsx", script, spoolDir, collector.url, bootId, String(count)];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child: ChildProcess = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"], env });
  await once(child.stdout ?? child, "data");
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

function segments(): string[] {
  return readdirSync(spoolDir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".seg"))
    .sort()
    .map((name) => join(spoolDir, name));
}

function spoolSize(): number {
  return segments().reduce((sum, path) => sum + statSync(path).size, 0);
}

/** "boot/sequence" in the order of arrival, each once. */
function received(): string[] {
  return [...new Set(collector.received.map(({ bootId, sequence }) => `${bootId}/${sequence}`))];
}

test("a restarted agent delivers what the killed one had not, and that first", async () => {
  await publishAndDie("boot-a", 40);
  await publishAndDie("boot-b", 10);
  const publisher = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-c" });
  publishBlocks(publisher, 5);
  await until("all is on disk", () => only(publisher).spooled === 5);
  expect(only(publisher)).toMatchObject({ recovered: 50, published: 5, pending: 55 });
  await collector.listen();
  expect(await publisher.flush({ deadlineMs: 20_000 })).toBe(true);
  const of = (boot: string, count: number) => sequencesTo(count).map((sequence) => `${boot}/${sequence}`);
  expect(received()).toEqual([...of("boot-a", 40), ...of("boot-b", 10), ...of("boot-c", 5)]);
  expectBalanced(only(publisher));
  await publisher.close();
  expect(segments()).toEqual([]);
});

test("what was acknowledged before the end is not sent again", async () => {
  await collector.listen();
  const first = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-a" });
  publishBlocks(first, 30);
  expect(await first.flush({ deadlineMs: 10_000 })).toBe(true);
  await collector.stop();
  publishBlocks(first, 20);
  await until("all is on disk", () => only(first).spooled === 50);
  await first.close();
  const before = collector.received.length;
  const second = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-b" });
  await collector.listen();
  await until("they are found and delivered", () => only(second).recovered === 20 && only(second).pending === 0);
  const again = collector.received.slice(before).map(({ sequence }) => sequence);
  expect(again).toEqual(sequencesTo(50).slice(30));
});

test("a torn record at the end is ignored, the whole ones before it are delivered", async () => {
  await publishAndDie("boot-a", 10);
  const [segment = ""] = segments();
  truncateSync(segment, statSync(segment).size - 3);
  const publisher = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-b" });
  await collector.listen();
  await until("they are delivered", () => only(publisher).recovered === 9 && only(publisher).pending === 0);
  expect(received()).toEqual(sequencesTo(9).map((sequence) => `boot-a/${sequence}`));
});

test("a damaged record ends its file, the other files are delivered", async () => {
  await publishAndDie("boot-a", 10);
  await publishAndDie("boot-b", 10);
  const [segment = ""] = segments();
  const bytes = readFileSync(segment);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
  writeFileSync(segment, bytes);
  const publisher = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-c" });
  await collector.listen();
  await until("they are delivered", () => only(publisher).recovered > 10 && only(publisher).pending === 0);
  const whole = only(publisher).recovered - 10;
  expect(whole).toBeGreaterThanOrEqual(4);
  expect(whole).toBeLessThan(10);
  expect(received()).toEqual([
    ...sequencesTo(whole).map((sequence) => `boot-a/${sequence}`),
    ...sequencesTo(10).map((sequence) => `boot-b/${sequence}`),
  ]);
});

test("files of nonsense hinder nothing", async () => {
  await publishAndDie("boot-a", 3);
  const [segment = ""] = segments();
  for (const [i, content] of ["", "WMS1", "x".repeat(5_000)].entries()) {
    writeFileSync(segment.replace(/\d{10}/, `000000090${i}`), content);
  }
  appendFileSync(segment, Buffer.alloc(4_096));
  const publisher = openPublisher({ targets: [collector.url], spoolDir, bootId: "boot-b" });
  publishBlocks(publisher, 2);
  await collector.listen();
  await until("all are delivered", () => only(publisher).recovered === 3 && only(publisher).pending === 0);
  expect(received()).toEqual(["boot-a/1", "boot-a/2", "boot-a/3", "boot-b/1", "boot-b/2"]);
});

test("a full spool drops its oldest reports, counts them, and stays within its limit", async () => {
  const spoolBytes = 200_000;
  const publisher = openPublisher({ targets: [collector.url], spoolDir, limits: { spoolBytes } });
  // In portions that the disk keeps up with; read-ahead (1 MiB) holds the first ones in memory.
  for (let i = 1; i <= 100; i++) {
    publishBlocks(publisher, 20, 1_000);
    await until("they are on disk", () => only(publisher).spooled === i * 20);
    expect(spoolSize()).toBeLessThanOrEqual(spoolBytes);
  }
  const stats = only(publisher);
  expect(stats.dropped).toBeGreaterThan(0);
  expect(stats.spoolErrors).toBe(0);
  expect(stats.spoolBytes).toBe(spoolSize());
  expectBalanced(stats);
  await collector.listen();
  expect(await publisher.flush({ deadlineMs: 20_000 })).toBe(true);
  expect(received()).toHaveLength(2_000 - stats.dropped);
  expect(received().at(-1)).toBe("boot-1/2000");
  expect(only(publisher)).toMatchObject({ dropped: stats.dropped, acknowledged: 2_000 - stats.dropped });
});

test("a disk that fails is counted; memory takes over and everything arrives", async () => {
  // A file where the target's directory belongs: also root cannot write there.
  const name = "altmark-source-eth0-host-a";
  writeFileSync(join(spoolDir, name), "");
  const publisher = openPublisher({ targets: [collector.url], spoolDir });
  publishBlocks(publisher, 10);
  await until("the trouble is noticed", () => only(publisher).pending === 10);
  publishBlocks(publisher, 10);
  await collector.listen();
  expect(await publisher.flush({ deadlineMs: 20_000 })).toBe(true);
  expect(received()).toEqual(sequencesTo(20).map((sequence) => `boot-1/${sequence}`));
  expect(only(publisher)).toMatchObject({ acknowledged: 20, dropped: 0, spooled: 0 });
  expectBalanced(only(publisher));
});

test("a spool directory that cannot be is refused at the start", () => {
  expect(() => openPublisher({ targets: [collector.url], spoolDir: "/dev/null/spool" })).toThrow(CommandError);
});

test("a full stream or a dead collector costs no memory beyond the limits", async () => {
  const publisher = openPublisher({ targets: [collector.url], spoolDir, limits: { memoryBytes: 10_000 } });
  for (let i = 1; i <= 10; i++) {
    publishBlocks(publisher, 50, 1_000);
    await until("they are on disk", () => only(publisher).spooled === i * 50);
  }
  expect(only(publisher)).toMatchObject({ dropped: 0, pending: 500 });
  await collector.listen();
  expect(await publisher.flush({ deadlineMs: 20_000 })).toBe(true);
  expect(received()).toHaveLength(500);
});
