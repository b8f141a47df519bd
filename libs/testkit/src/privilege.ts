import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

interface JestGlobals {
  readonly describe?: ((name: string, body: () => void) => void) & { skip(name: string, body: () => void): void };
  readonly test?: (name: string, body: () => void) => void;
}

/** Why this process may not make namespaces and load BPF programs, or undefined if it may. */
export function whyUnprivileged(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  const line = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  const effective = BigInt(`0x${line ?? "0"}`);
  const has = (capability: bigint) => ((effective >> capability) & 1n) === 1n;
  return has(CAP_NET_ADMIN) && has(CAP_SYS_ADMIN) ? undefined : "needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)";
}

/** @throws {Error} this process may not make namespaces */
export function requirePrivileged(): void {
  const why = whyUnprivileged();
  if (why !== undefined) throw new Error(why);
}

/** Path of a program in PATH or in the system's sbin folders, or undefined. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Path of a program. @throws {Error} it is not installed; names `npm run setup` */
export function requireTool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`needs ${name}, which is not installed (npm run setup installs it)`);
  return path;
}

/** What a suite needs beside privilege. */
export interface SuiteNeeds {
  /** Programs that must be installed. */
  readonly tools?: readonly string[];
  /** A reason that lies in the kernel, e.g. a feature that it lacks; undefined to run. Always a skip, never a failure. */
  readonly unless?: () => string | undefined;
}

/**
 * `describe` for tests that need root: without it (or without a tool) the suite is skipped loudly, with the reason in its
 * name and on standard error. Under `REQUIRE_PRIVILEGED=1` that is a failure.
 */
export function describePrivileged(name: string, needs: SuiteNeeds, body: () => void): void;
export function describePrivileged(name: string, body: () => void): void;
export function describePrivileged(name: string, second: SuiteNeeds | (() => void), third?: () => void): void {
  const body = typeof second === "function" ? second : third;
  const { tools = [], unless = () => undefined } = typeof second === "function" ? {} : second;
  if (body === undefined) throw new RangeError(`${name}: no body`);
  const why = whyUnprivileged() ?? whyMissing(tools);
  describeUnless(why, why === undefined ? unless() : undefined, name, body);
}

/** `describe` for tests that need programs but no root; skipped or failed like describePrivileged. */
export function describeWithTools(name: string, tools: readonly string[], body: () => void): void {
  describeUnless(whyMissing(tools), undefined, name, body);
}

/** Why programs are missing, or undefined. */
export function whyMissing(tools: readonly string[]): string | undefined {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  return missing.length > 0 ? `needs ${missing.join(", ")}, not installed` : undefined;
}

/**
 * `describe`, unless there is a reason why not.
 *
 * @param host a reason that lies in this host: a loud skip, or a failure under `variable`=1
 * @param kernel a reason that lies in its kernel: always a skip
 */
export function describeUnless(
  host: string | undefined,
  kernel: string | undefined,
  name: string,
  body: () => void,
  variable: "REQUIRE_PRIVILEGED" | "REQUIRE_DOCKER" = "REQUIRE_PRIVILEGED",
): void {
  const why = host ?? kernel;
  const { describe, test } = globalThis as JestGlobals;
  if (describe === undefined || test === undefined) throw new Error(`${name}: not inside jest`);
  if (why === undefined) {
    describe(name, body);
  } else if (host !== undefined && process.env[variable] === "1") {
    describe(name, () =>
      test("can run here", () => {
        throw new Error(`${why}, and ${variable}=1 forbids to skip`);
      }),
    );
  } else {
    process.stderr.write(`SKIPPED: ${name}: ${why}\n`);
    describe.skip(`${name} [skipped: ${why}]`, body);
  }
}
