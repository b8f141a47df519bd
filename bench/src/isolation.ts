import { spawnSync } from "node:child_process";

const MARK = "WAYMARK_BENCH_ISOLATED";
const PREPARE = 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@"';

/**
 * Runs this benchmark again in network and mount namespaces of its own, and ends with its exit code; returns at once where
 * that has been done. @throws {Error} not root, or no `unshare`
 */
export function isolate(): void {
  if (process.env[MARK] !== undefined) return;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const unshare = ["--net", "--mount", "--propagation", "private", "sh", "-c", PREPARE, "sh"];
  const { status, error } = spawnSync("unshare", [...unshare, ...again], {
    stdio: "inherit",
    env: { ...process.env, [MARK]: "1" },
  });
  if (error) throw error;
  process.exit(status ?? 1);
}
