import { fileURLToPath } from "node:url";
import { describePrivileged, type ManagedProcess } from "@waymark/testkit";
import { DEADLINE_MS, DEVICE, FAR, PORT, StampPath } from "./stamp-path.ts";

const BIN = fileURLToPath(new URL("../bin/stamp.js", import.meta.url));

/** Exit code, and what it said on standard error. */
async function ended(child: ManagedProcess): Promise<{ code: number | null; said: readonly string[] }> {
  const { code } = await child.exited;
  return { code, said: child.stderr };
}

describePrivileged("the stamp command", { tools: ["ip", "ping"] }, () => {
  test.each<[readonly string[], number, RegExp]>([
    [["sender", DEVICE], 2, /host/i],
    [["sender", DEVICE, FAR[0], "-i", "soon"], 2, /soon/],
    [["sender", DEVICE, FAR[0], "--hist", "2", "0", "1"], 2, /BINS 2/],
    [["sender", DEVICE, FAR[0], "--hist", "10", "5", "1"], 2, /MIN 5 ms.*MAX 1 ms/],
    [["sender", DEVICE, FAR[0], FAR[0]], 2, /both/],
    [["sender", DEVICE, FAR[0], "--tlv", "colour"], 2, /colour/],
    [["sender", DEVICE, FAR[0], "--tlv", `destination-address=${FAR[0]}`], 2, /--ssid/],
    [["sender", DEVICE, FAR[0], "--auth-key-file", "/nowhere"], 2, /\/nowhere/],
    [["sender", DEVICE, "no-such-host.invalid"], 2, /no-such-host\.invalid/],
    [["sender", "eth9", FAR[0]], 1, /eth9/],
    [["reflector", DEVICE, "--allow", "10.0.0.1/8"], 2, /--allow 10\.0\.0\.1\/8/],
    [["reflector", DEVICE, "--via-stack", "--stateful"], 2, /--via-stack with --stateful/],
    [["reflector", "eth9"], 1, /eth9/],
    [["mirror", DEVICE], 2, /mirror/],
  ])("%j ends with one clear line", async (argv, code, message) => {
    await using path = await StampPath.create();
    expect(await ended(path.spawn(path.near, argv))).toEqual({ code, said: [expect.stringMatching(message)] });
  });

  test("without the privilege: exit code 3 and what is needed", async () => {
    await using path = await StampPath.create();
    // Root without a capability: it can read the checkout wherever that is, and nothing more.
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"];
    const end = await ended(path.near.spawn([...drop, process.execPath, BIN, "reflector", DEVICE]));
    expect(end).toEqual({ code: 3, said: [expect.stringMatching(/root|CAP_BPF/)] });
  });

  test("three capabilities are enough; a port below 1024 needs a fourth at the sender", async () => {
    await using path = await StampPath.create();
    const only = (caps: string) => ["setpriv", `--bounding-set=-all,${caps}`, "--inh-caps=-all", "--"];
    const packets = "+bpf,+net_admin,+perfmon";
    const reflector = path.far.spawn([...only(packets), process.execPath, BIN, "reflector", DEVICE]);
    await reflector.waitForLine(/"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
    const sender = (caps: string) =>
      path.near.spawn([...only(caps), process.execPath, BIN, "sender", DEVICE, FAR[0], "-c", "3", "-i", "0.02"]);
    const withPort = sender(`${packets},+net_bind_service`);
    expect((await withPort.exited).code).toBe(0);
    expect(withPort.stdout.join("\n")).toMatch(/sent 3 +received 3/);
    const refused = await ended(sender(packets));
    expect(refused).toEqual({ code: 2, said: [expect.stringMatching(/port 862.*EACCES/)] });
  });

  test("a second reflector of the same port is refused, one of another port is not", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    const second = await ended(path.spawn(path.far, ["reflector", DEVICE]));
    expect(second).toEqual({ code: 2, said: [expect.stringMatching(/already.*-p/)] });
    await path.reflector(["-p", "1862"]);
    const { summaries } = await path.sender([FAR[0], "-c", "3", "-i", "0.02", "-d", "1862"]);
    expect(summaries[0]?.received_packets).toBe(3);
  });

  test.each(["reflector", "sender"])(
    "an interface that disappears ends the %s with a line that names it",
    async (role) => {
      await using path = await StampPath.create();
      const argv = role === "sender" ? [role, DEVICE, FAR[0], "-i", "0.1"] : [role, DEVICE];
      const child = path.spawn(path.near, argv);
      await child.waitForLine(/"measuring"|"reflecting"/, { deadlineMs: DEADLINE_MS, stream: "stderr" });
      await path.near.ip(`link del ${DEVICE}`);
      expect((await child.exited).code).toBe(1);
      expect(child.stderr.at(-1)).toMatch(/eth0/);
    },
  );

  test("addresses that come and go are followed; nothing stays behind", async () => {
    await using path = await StampPath.create();
    const reflector = await path.reflector(["--output"]);
    const mac = await path.far.macAddress(DEVICE);
    await path.near.ip("route add 10.67.0.0/24 dev eth0", `neigh add 10.67.0.9 lladdr ${mac} dev eth0`);
    const lost = await path.sender(["10.67.0.9", "-c", "2", "-i", "0.02", "-w", "0.1"]);
    expect(lost.summaries[0]?.lost_packets).toBe(2);
    await path.far.ip("address add 10.67.0.9/24 dev eth0");
    // an address is followed within a second, of which a line is printed
    const printed = reflector.stdout.length;
    await reflector.waitForLine(/./, { deadlineMs: DEADLINE_MS, from: printed + 1 });
    const found = await path.sender(["10.67.0.9", "-c", "2", "-i", "0.02"]);
    expect(found.summaries[0]?.received_packets).toBe(2);
    reflector.signal("SIGKILL");
    await reflector.exited;
    const gone = await path.sender([FAR[0], "-c", "2", "-i", "0.02", "-w", "0.1"]);
    expect(gone.summaries[0]?.lost_packets).toBe(2);
  });

  test("packets that cannot leave are not taken for lost ones, and it says so", async () => {
    await using path = await StampPath.create();
    const { summaries, errors } = await path.sender(["10.66.9.9", "-c", "2", "-i", "0.02", "-w", "0.1"]);
    expect(summaries[0]).toMatchObject({ sent_packets: 0, lost_packets: 0 });
    expect(errors.join("\n")).toMatch(/2 packets.*did not leave by eth0/);
  });

  test("metrics and health", async () => {
    await using path = await StampPath.create();
    await path.reflector(["--metrics", "9103"]);
    await path.sender([FAR[0], "-c", "7", "-i", "0.02"]);
    const get = async (name: string) => {
      const script = `fetch("http://localhost:9103${name}").then((r) => r.text()).then(console.log)`;
      return (await path.far.exec([process.execPath, "-e", script])).stdout;
    };
    expect(JSON.parse(await get("/healthz"))).toMatchObject({ healthy: true, measuring: true });
    expect(await get("/metrics")).toMatch(/^waymark_stamp_reflected_total\{role="reflector",interface="eth0"\} 7$/m);
  });

  test("packets to another port are left to whoever listens there", async () => {
    await using path = await StampPath.create();
    await path.reflector();
    await path.acquaint();
    const script = `
      const socket = require("node:dgram").createSocket("udp4");
      socket.on("error", () => { console.log("refused"); socket.close(); });
      socket.connect(${PORT + 1}, "${FAR[0]}", () => socket.send(Buffer.alloc(44)));`;
    const { stdout } = await path.near.exec([process.execPath, "-e", script], { deadlineMs: DEADLINE_MS });
    expect(stdout).toBe("refused\n");
  });
});
