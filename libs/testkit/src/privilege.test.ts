import { describePrivileged, describeWithTools, whyUnprivileged } from "./privilege.ts";

/** Registers a suite with recorded `describe`, `test` and standard error. */
function register(requirePrivileged: boolean, body: () => void) {
  const calls: string[] = [];
  const failures: (() => void)[] = [];
  const describe = Object.assign(
    (name: string, suite: () => void) => {
      calls.push(`describe ${name}`);
      suite();
    },
    { skip: (name: string) => void calls.push(`skip ${name}`) },
  );
  const globals = globalThis as unknown as Record<string, unknown>;
  const before = {
    describe: globals["describe"],
    test: globals["test"],
    environment: process.env["REQUIRE_PRIVILEGED"],
  };
  globals["describe"] = describe;
  globals["test"] = (_: string, run: () => void) => failures.push(run);
  process.env["REQUIRE_PRIVILEGED"] = requirePrivileged ? "1" : "0";
  try {
    body();
  } finally {
    Object.assign(globals, { describe: before.describe, test: before.test });
    if (before.environment === undefined) delete process.env["REQUIRE_PRIVILEGED"];
    else process.env["REQUIRE_PRIVILEGED"] = before.environment;
  }
  return { calls, failures };
}

test("a missing tool is a skip with its reason, or a failure where everything is required", () => {
  const suite = () => describeWithTools("a suite", ["no-such-tool"], () => undefined);
  const loose = register(false, suite);
  expect(loose).toEqual({ calls: ["skip a suite [skipped: needs no-such-tool, not installed]"], failures: [] });
  const strict = register(true, suite);
  expect(strict.calls).toEqual(["describe a suite"]);
  expect(strict.failures).toHaveLength(1);
  expect(strict.failures[0]).toThrow(/needs no-such-tool.*forbids to skip/);
});

test("what the kernel lacks is a skip everywhere; nothing missing is a plain suite", () => {
  expect(register(true, () => describeWithTools("a suite", ["sh"], () => undefined)).calls).toEqual([
    "describe a suite",
  ]);
  if (whyUnprivileged() !== undefined) return;
  const lacking = register(true, () =>
    describePrivileged("b", { unless: () => "needs a newer kernel" }, () => undefined),
  );
  expect(lacking).toEqual({ calls: ["skip b [skipped: needs a newer kernel]"], failures: [] });
});
