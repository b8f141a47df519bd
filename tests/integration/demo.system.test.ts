import { fileURLToPath } from "node:url";
import { describePrivileged, exec } from "@waymark/testkit";

const DEMO = fileURLToPath(new URL("../../scripts/demo/run.mjs", import.meta.url));

describePrivileged("npm run demo", { tools: ["nft"] }, () => {
  test("shows our loss and the router's side by side, and they agree", async () => {
    const { stdout } = await exec([process.execPath, DEMO, "8"], { deadlineMs: 90_000 });
    expect(stdout).toMatch(/^\[[\d-]+ [\d:]+\] loss=40 +router: dropped 40$/m);
    expect(stdout).toMatch(/Sent 16000 \(of 16000 by the generator\), lost 160; the router dropped 160\./);
    expect(stdout).toMatch(/They agree/);
  }, 120_000);
});
