import { buildPacket } from "@waymark/packet";
import { describePrivileged } from "@waymark/testkit";
import { FlowTable } from "../src/flow-table.ts";
import { Rig } from "./rig.ts";

const FLOWS = 1_000_000;

describePrivileged("a million flows at once", () => {
  test("in a table made for them: all are read, nothing is lost, and the memory is known", () => {
    using rig = new Rig({ tableSize: FLOWS });
    const transport = { kind: "udp", sourcePort: 1, destinationPort: 2, payload: new Uint8Array(18) } as const;
    const data = buildPacket({ ethernet: {}, ipv4: { source: "10.0.0.1", destination: "10.0.0.2" }, transport });
    const view = new DataView(data.buffer);
    const program = rig.object.program("tcflows_egress");
    for (let i = 0; i < FLOWS; i++) {
      view.setUint32(26, i);
      program.testRun({ data, dataSizeOut: 0 });
    }
    const tables = rig.object.map("tables");
    using taken = tables.swap(0, tables.createInner({ maxEntries: 1 }));
    const flows = new FlowTable({
      ...{ device: "eth0", limit: 2 * FLOWS, baseNs: 0n },
      ...{ activeTimeoutNs: 5e9, idleTimeoutNs: 15e9, readEveryNs: 1e9 },
    });
    const begin = performance.now();
    for (const batch of taken?.batches() ?? []) flows.absorb(batch);
    const ms = performance.now() - begin;
    const memory = taken?.info().memoryBytes ?? 0;
    process.stderr.write(
      `1 000 000 flows: ${(memory / 2 ** 20).toFixed(0)} MiB of kernel memory, ${ms.toFixed(0)} ms\n`,
    );
    expect(rig.overflow()).toEqual({});
    const sum = { flows: 0, packets: 0, l2Bytes: 0 };
    for (const { packets, l2Bytes } of flows.views("start", 0)) {
      sum.flows++;
      sum.packets += packets;
      sum.l2Bytes += l2Bytes;
    }
    expect(sum).toEqual({ flows: FLOWS, packets: FLOWS, l2Bytes: FLOWS * 60 });
    // what the table takes is what it holds: the keys and values at least, and less than a KiB each
    expect(memory).toBeGreaterThan(FLOWS * (48 + 64));
    expect(memory).toBeLessThan(FLOWS * 1024);
  }, 120_000);
});
