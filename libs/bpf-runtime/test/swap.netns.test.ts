// @kernels
import { Worker } from "node:worker_threads";
import { interfaceInfo } from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";
import { loadFeatures } from "./features.ts";

const DATAGRAMS = 20_000;
/** A thread that sends as fast as it can, waiting for each datagram so that none is dropped by the socket. */
const SENDER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const socket = require("node:dgram").createSocket("udp4");
  let left = workerData;
  const next = () => {
    if (left-- > 0) socket.send("x", 9, "127.0.0.1", next);
    else socket.close(() => parentPort.postMessage("done"));
  };
  socket.on("error", () => undefined); // nobody listens: the answers are refusals
  next();
`;

describePrivileged("swapping under traffic", () => {
  test("every packet is in exactly one of the maps that were swapped out", async () => {
    using bpf = loadFeatures();
    const tables = bpf.map("tables");
    tables.set(0, tables.createInner());
    using _link = bpf.program("features_swap").attachTc({ ifindex: interfaceInfo("lo").ifindex, direction: "egress" });
    const sender = new Worker(SENDER, { eval: true, workerData: DATAGRAMS });
    let sending = true;
    const ended = new Promise<void>((resolve) => {
      sender.once("message", () => {
        sending = false;
        resolve();
      });
    });
    let read = 0n;
    let swaps = 0;
    const swap = () => {
      using old = tables.swap(0, tables.createInner());
      for (const [, count] of old?.drain() ?? []) read += count.packets;
      swaps++;
    };
    while (sending) {
      swap();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    await sender.terminate();
    _link.close();
    swap();
    expect(swaps).toBeGreaterThan(2);
    expect(read).toBeGreaterThanOrEqual(BigInt(DATAGRAMS));
    expect(read).toBe(bpf.data.get("runs"));
  });
});
