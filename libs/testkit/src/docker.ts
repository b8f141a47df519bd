import { spawnSync } from "node:child_process";
import { describeUnless, type SuiteNeeds, whyMissing, whyUnprivileged } from "./privilege.ts";

const DEADLINE_MS = 20_000;

/** Why containers cannot be used here, or undefined: needs an engine that answers, `docker compose` and `docker buildx`. */
export function whyNoDocker(): string | undefined {
  for (const argv of [["info"], ["compose", "version"], ["buildx", "version"]]) {
    const { error, status, stderr } = spawnSync("docker", argv, { encoding: "utf8", timeout: DEADLINE_MS });
    if (error) return `needs docker: ${error.message}`;
    if (status !== 0) return `docker ${argv.join(" ")}: ${stderr.trim().split("\n").at(-1)}`;
  }
  return undefined;
}

/**
 * `describe` for tests that need root and a container engine: skipped loudly without them, a failure under
 * `REQUIRE_DOCKER=1`.
 */
export function describeWithDocker(name: string, { tools = [] }: Pick<SuiteNeeds, "tools">, body: () => void): void {
  const why = whyUnprivileged() ?? whyMissing(tools) ?? whyNoDocker();
  describeUnless(why, undefined, name, body, "REQUIRE_DOCKER");
}
