import { fileURLToPath } from "node:url";
import { exec } from "@waymark/testkit";

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const BUILD_DEADLINE_MS = 600_000;

/** Builds the images of these sources as a user does; what is built already is not built again. */
export async function buildImages(folder = ROOT, words: readonly string[] = []): Promise<void> {
  const argv = ["docker", "compose", "--profile", "*", "build", "--quiet", ...words];
  await exec(argv, { cwd: folder, deadlineMs: BUILD_DEADLINE_MS });
}
