// A process of its own: publishes N reports to a target that is not there, waits until they are on disk, and idles.
import { createPublisher, silentLogger } from "../src/index.ts";
import { identity, only, publishBlocks } from "./publisher-fixture.ts";

const [spoolDir = "", target = "", bootId = "", count = "0"] = process.argv.slice(2);
const publisher = createPublisher({
  targets: [target],
  identity,
  bootId,
  kernelBootId: "kernel-1",
  clock: () => ({}),
  nowNs: () => 1n,
  counters: () => ({}),
  spoolDir,
  logger: silentLogger,
});
publishBlocks(publisher, Number(count));
const check = setInterval(() => {
  if (only(publisher).spooled < Number(count)) return;
  clearInterval(check);
  process.stdout.write("spooled\n");
}, 5);
setInterval(() => {}, 1_000);
