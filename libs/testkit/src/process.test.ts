import { CommandError, exec } from "./exec.ts";
import { ManagedProcess } from "./managed-process.ts";
import { findTool, requireTool } from "./privilege.ts";
import { waitFor } from "./wait-for.ts";

test("a command gets its input and answers; failures say what was said", async () => {
  expect(await exec(["cat"], { input: "hello" })).toEqual({ stdout: "hello", stderr: "", code: 0 });
  expect(await exec(["sh", "-c", "exit 3"], { allowFailure: true })).toMatchObject({ code: 3 });
  await expect(exec(["sh", "-c", "echo no >&2; exit 3"])).rejects.toThrow(/exit 3\nno/);
  await expect(exec(["/nonexistent"])).rejects.toThrow(CommandError);
  await expect(exec(["sleep", "60"], { deadlineMs: 20 })).rejects.toThrow(/not done after 20 ms/);
  expect(() => exec([])).toThrow(/empty command/);
});

test("a process beside the test: its lines, its input, its end", async () => {
  await using child = new ManagedProcess([
    "sh",
    "-c",
    'echo up; while read line; do echo "got $line"; done; echo bye >&2; exit 4',
  ]);
  expect(await child.waitForLine(/^up$/, { deadlineMs: 5_000 })).toBe("up");
  child.write("a\n");
  await child.waitForLine(/^got a$/, { deadlineMs: 5_000 });
  child.closeInput();
  expect(await child.exited).toEqual({ code: 4, signal: null });
  await expect(child.waitForLine(/never/, { deadlineMs: 5_000 })).rejects.toThrow(/ended .*"code":4.*\nbye/s);
});

test("a process that does not want to end is killed, and that is told", async () => {
  const child = new ManagedProcess(["sh", "-c", 'trap "" TERM; echo up; while :; do sleep 0.01; done']);
  await child.waitForLine(/^up$/, { deadlineMs: 5_000 });
  await expect(child.stop("SIGTERM", 50)).rejects.toThrow(/did not end within 50 ms of SIGTERM/);
  expect(child.status).toEqual({ code: null, signal: "SIGKILL" });
  expect(() => process.kill(child.pid, 0)).toThrow(/ESRCH/);
});

test("a program that is not there ends at once", async () => {
  const child = new ManagedProcess(["/nonexistent"]);
  expect(await child.exited).toEqual({ code: 127, signal: null });
  expect(() => child.pid).toThrow(/not started/);
});

test("waiting ends with the value, or with the reason", async () => {
  let n = 0;
  expect(await waitFor(() => ++n >= 3 && `n=${n}`, { deadlineMs: 5_000 })).toBe("n=3");
  await expect(waitFor(() => 0, { deadlineMs: 10, what: "a miracle" })).rejects.toThrow(
    /a miracle: not reached within 10 ms \(last value 0/,
  );
  const failing = () => {
    throw new Error("not yet");
  };
  await expect(waitFor(failing, { deadlineMs: 10 })).rejects.toThrow(/last error Error: not yet/);
});

test("tools are found, or named", () => {
  expect(findTool("sh")).toMatch(/\/sh$/);
  expect(findTool("no-such-tool")).toBeUndefined();
  expect(() => requireTool("no-such-tool")).toThrow(/needs no-such-tool.*npm run setup/);
});
