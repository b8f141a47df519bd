import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  clockNow,
  defaultRouteInterface,
  FEATURES,
  interfaceCounters,
  interfaceInfo,
  kernelBootId,
  kernelClockHealth,
  monotonicNow,
  probeFeatures,
  taiNow,
  watchClockSteps,
} from "@waymark/bpf-runtime";
import { describePrivileged } from "@waymark/testkit";

const SECOND_NS = 1_000_000_000n;

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

describePrivileged("interfaces", { tools: ["ip"] }, () => {
  beforeAll(() => {
    ip("link", "add", "wmh0", "address", "02:00:00:00:00:aa", "mtu", "1400", "type", "veth", "peer", "name", "wmh1");
    ip("addr", "add", "192.0.2.1/24", "dev", "wmh0");
    ip("addr", "add", "2001:db8::1/64", "dev", "wmh0", "nodad");
    for (const device of ["wmh0", "wmh1"]) ip("link", "set", device, "up");
  });
  afterAll(() => ip("link", "del", "wmh0"));

  test("are described as the kernel has them", () => {
    const info = interfaceInfo("wmh0");
    expect(info).toMatchObject({ name: "wmh0", linkType: 1, mtu: 1400, mac: "02:00:00:00:00:aa", up: true });
    expect(info.addresses.slice(0, 2)).toEqual(["192.0.2.1", "2001:db8::1"]);
    expect(interfaceInfo(info.ifindex)).toEqual(info);
  });

  test("loopback is one without Ethernet", () => {
    expect(interfaceInfo("lo")).toMatchObject({ ifindex: 1, linkType: 772 });
  });

  test.each(["absent", "", "a-name-that-is-far-too-long-for-a-device", 99_999])("%p is no interface", (name) => {
    expect(() => interfaceInfo(name)).toThrow(expect.objectContaining({ code: "BPF_NO_INTERFACE" }));
  });

  test("counters move with packets", () => {
    const before = interfaceCounters("lo");
    execFileSync("sh", ["-c", "ip link set lo up; ip route get 127.0.0.1"], { stdio: "ignore" });
    expect(interfaceCounters("lo").rxPackets).toBeGreaterThanOrEqual(before.rxPackets);
    expect(interfaceCounters("lo").rxPackets).toBe(interfaceCounters("lo").txPackets);
  });

  test("the default route is the one with the lowest metric, IPv4 before IPv6", () => {
    expect(() => defaultRouteInterface()).toThrow(expect.objectContaining({ code: "BPF_NO_INTERFACE" }));
    ip("-6", "route", "add", "default", "dev", "wmh1");
    expect(defaultRouteInterface()).toBe("wmh1");
    ip("route", "add", "default", "dev", "wmh1", "metric", "300");
    ip("route", "add", "default", "dev", "wmh0", "metric", "200");
    expect(defaultRouteInterface()).toBe("wmh0");
  });
});

describePrivileged("features", () => {
  test("each is told with the kernel that brought it", () => {
    const features = probeFeatures();
    expect(Object.keys(features)).toEqual(Object.keys(FEATURES));
    const [major = 0, minor = 0] = readFileSync("/proc/sys/kernel/osrelease", "utf8").split(".").map(Number);
    for (const [name, feature] of Object.entries(features)) {
      const [since = 0, sinceMinor = 0] = feature.since.split(".").map(Number);
      const expected = major > since || (major === since && minor >= sinceMinor);
      expect([name, feature.supported, feature.reason]).toEqual([name, expected, expect.any(String)]);
    }
    expect(probeFeatures().tcx).toBe(features.tcx);
  });
});

describePrivileged("the kernel's clock", () => {
  test("tells its state and its times", () => {
    const health = kernelClockHealth();
    expect(typeof health.synchronised).toBe("boolean");
    expect(health.maxErrorNs).toBeGreaterThanOrEqual(0n);
    const before = BigInt(Date.now()) * 1_000_000n;
    const now = clockNow();
    expect(now - before).toBeGreaterThan(-SECOND_NS);
    expect(now - before).toBeLessThan(10n * SECOND_NS);
    const offset = (taiNow() - clockNow() + SECOND_NS / 2n) / SECOND_NS;
    expect(offset).toBe(BigInt(health.taiOffsetS));
    const first = monotonicNow();
    expect(monotonicNow()).toBeGreaterThanOrEqual(first);
    expect(kernelBootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test("a step is noticed, and again after it", async () => {
    const steps = watchClockSteps();
    for (let round = 0; round < 2; round++) {
      const next = steps.next();
      // Set to what it is, less the milliseconds that this takes: the kernel tells of every setting.
      execFileSync("sh", ["-c", 'date -s "@$(date +%s.%N)"'], { stdio: "ignore" });
      const { value } = await next;
      expect(value?.monotonicNs).toBeGreaterThan(0n);
      expect(value?.taiOffsetS).toBe(kernelClockHealth().taiOffsetS);
    }
    await steps.return();
    expect(await steps.next()).toEqual({ done: true, value: undefined });
  });

  test("watching ends with its signal, also while waiting or before it began", async () => {
    const controller = new AbortController();
    const steps = watchClockSteps({ signal: controller.signal });
    const next = steps.next();
    controller.abort();
    expect((await next).done).toBe(true);
    expect((await watchClockSteps({ signal: AbortSignal.abort() }).next()).done).toBe(true);
  });
});
