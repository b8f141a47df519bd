// @kernels
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describePrivileged } from "@waymark/testkit";
import { FAR, StampPath } from "./stamp-path.ts";

describePrivileged("a session, on this kernel", { tools: ["ip"] }, () => {
  test("authenticated and stateful, over IPv4 and IPv6, with TLVs", async () => {
    await using path = await StampPath.create();
    const file = join(path.lab.folder, "keys");
    await writeFile(file, "* text:0123456789abcdef0123456789abcdef");
    const reflector = await path.reflector(["--stateful", "--auth-key-file", file]);
    const argv = [...FAR, "-c", "10", "-i", "0.05", "-w", "5", "--padding", "100", "--auth-key-file", file];
    const { summaries, code } = await path.sender(argv);
    expect(code).toBe(0);
    for (const summary of summaries) {
      expect(summary).toMatchObject({ sent_packets: 10, received_packets: 10, lost_packets: 0 });
      expect(summary.round_trip.min_ns).toBeGreaterThan(0);
    }
    expect((await reflector.stop()).code).toBe(0);
  }, 300_000);
});
