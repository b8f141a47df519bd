import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { Health } from "./health.ts";
import { HEALTH_FILE_PERIOD_MS, keepHealthFile } from "./health-file.ts";

const folder = mkdtempSync(join(tmpdir(), "waymark-health-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test("says what is wrong within a second, and nothing once it is disposed", () => {
  const path = join(folder, "sub", "health");
  const health = new Health();
  {
    using _file = keepHealthFile(path, health);
    expect(readFileSync(path, "utf8")).toBe("not measuring\n");
    health.setMeasuring(true);
    jest.advanceTimersByTime(HEALTH_FILE_PERIOD_MS);
    expect(readFileSync(path, "utf8")).toBe("healthy\n");
    health.setProblem("nats is not connected", true);
    health.addCheck(() => "interface eth0 is down");
    jest.advanceTimersByTime(HEALTH_FILE_PERIOD_MS);
    expect(readFileSync(path, "utf8")).toBe("interface eth0 is down\nnats is not connected\n");
  }
  expect(readdirSync(join(folder, "sub"))).toEqual([]);
});

test("is renewed every second although nothing changes", () => {
  const path = join(folder, "renewed");
  using _file = keepHealthFile(path, new Health());
  utimesSync(path, 1, 1);
  jest.advanceTimersByTime(HEALTH_FILE_PERIOD_MS);
  expect(statSync(path).mtimeMs).toBeGreaterThan(1_000_000);
});

test("is written again when somebody took it away", () => {
  const path = join(folder, "taken");
  using _file = keepHealthFile(path, new Health());
  rmSync(path);
  jest.advanceTimersByTime(2 * HEALTH_FILE_PERIOD_MS);
  expect(readFileSync(path, "utf8")).toBe("not measuring\n");
});

test("a place that cannot be written is an error with a code", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => keepHealthFile(join(folder, "file", "health"), new Health())).toThrow(
    expect.objectContaining({ code: "WAYMARK_HEALTH_FILE", exitCode: 1, message: expect.stringContaining("file") }),
  );
});
