// Mounts a small disk: the runner provides a mount namespace.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describePrivileged } from "@waymark/testkit";
import { type CollectorStub, startCollectorStub } from "./collector-stub.ts";
import { closePublishers, expectBalanced, only, openPublisher, publishBlocks, until } from "./publisher-harness.ts";

let collector: CollectorStub;
let disk: string;

describePrivileged("a spool on a small disk", () => {
  beforeEach(async () => {
    disk = mkdtempSync(join(tmpdir(), "waymark-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
    execFileSync("ip", ["link", "set", "lo", "up"]);
    collector = await startCollectorStub();
    await collector.stop();
  });

  afterEach(async () => {
    await closePublishers();
    await collector[Symbol.asyncDispose]();
    execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  });

  test("a disk that becomes full is counted, memory takes over, the disk is used again when there is room", async () => {
    const ballast = join(disk, "ballast");
    const publisher = openPublisher({ targets: [collector.url], spoolDir: disk });
    publishBlocks(publisher, 20, 1_000);
    await until("the first are on disk", () => only(publisher).spooled === 20);
    writeFileSync(ballast, Buffer.alloc(200_000));
    publishBlocks(publisher, 100, 1_000);
    await until("the disk has failed", () => only(publisher).spoolErrors > 0);
    expect(only(publisher)).toMatchObject({ dropped: 0, pending: 120 });
    rmSync(ballast);
    const before = only(publisher).spooled;
    let published = 120;
    await until("the disk is used again", () => {
      publishBlocks(publisher, 1);
      published++;
      return only(publisher).spooled > before;
    });
    await collector.listen();
    expect(await publisher.flush({ deadlineMs: 15_000 })).toBe(true);
    expect(only(publisher)).toMatchObject({ published, acknowledged: published, dropped: 0 });
    expect(new Set(collector.received.map(({ sequence }) => sequence)).size).toBe(published);
    expectBalanced(only(publisher));
  }, 30_000);
});
