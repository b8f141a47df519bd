// One run of a command on another kernel: qemu without KVM, the host's root read-only below a tmpfs.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, toolPath } from "../lib/run.mjs";
import { virtiofsd } from "./kernel.mjs";

const MEMORY = "3072M";
const SOCKET_DEADLINE_MS = 10_000;
const passedOn = ["CI", "REQUIRE_PRIVILEGED", "NODE_OPTIONS"];

const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** Starts a process whose output is kept for the case that it fails. */
function start(argv, inherit) {
  const child = spawn(argv[0], argv.slice(1), {
    stdio: ["ignore", inherit ? "inherit" : "pipe", inherit ? "inherit" : "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output = (output + chunk).slice(-10_000);
    });
  }
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(`${error.message}`));
    child.on("close", (code) => resolve(`exit ${code}\n${output}`));
  });
  return { child, ended };
}

async function waitForSocket(path, daemon) {
  const end = performance.now() + SOCKET_DEADLINE_MS;
  let over;
  daemon.ended.then((why) => {
    over = why;
  });
  while (!existsSync(path)) {
    if (over !== undefined) throw new Error(`virtiofsd: ${over}`);
    if (performance.now() > end) throw new Error("virtiofsd: no socket");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Runs a command in the guest, in the repository's folder; its output goes to standard output. `collect` is given the
 * folder that the guest sees as /out, before it is removed.
 * @returns {Promise<number>} its exit code; 125 if the guest ended without one
 */
export async function runInGuest(kernel, argv, { deadlineMs, collect = () => undefined }) {
  const folder = mkdtempSync(join(tmpdir(), "waymark-guest-"));
  const out = join(folder, "out");
  mkdirSync(out);
  const variables = { HOME: "/tmp", PATH: toolPath() };
  for (const name of passedOn) if (process.env[name] !== undefined) variables[name] = process.env[name];
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
  writeFileSync(join(out, "command.sh"), `${exports.join("\n")}\ncd ${quote(root)} && ${argv.map(quote).join(" ")}\n`);
  writeFileSync(join(out, "modules"), kernel.modules);
  writeFileSync(join(out, "time"), String(Math.floor(Date.now() / 1000)));

  const daemons = [];
  const shares = [];
  let timer;
  try {
    for (const [tag, source, cache] of [
      ["host", "/", "always"],
      ["out", out, "none"],
    ]) {
      const socket = join(folder, `${tag}.socket`);
      const daemon = start([
        virtiofsd(),
        `--socket-path=${socket}`,
        "-o",
        `source=${source},cache=${cache},sandbox=chroot`,
      ]);
      daemons.push(daemon);
      await waitForSocket(socket, daemon);
      shares.push(
        "-chardev",
        `socket,id=${tag},path=${socket}`,
        "-device",
        `vhost-user-fs-pci,chardev=${tag},tag=${tag}`,
      );
    }
    const qemu = start(
      [
        ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY],
        ["-object", `memory-backend-memfd,id=memory,size=${MEMORY},share=on`, "-machine", "q35,memory-backend=memory"],
        ["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", ...shares],
        ["-kernel", kernel.image, "-initrd", kernel.initramfs],
        ["-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off"],
      ].flat(),
      true,
    );
    daemons.unshift(qemu);
    timer = setTimeout(() => qemu.child.kill("SIGKILL"), deadlineMs);
    await qemu.ended;
    collect(out);
    const code = existsSync(join(out, "code"))
      ? Number.parseInt(readFileSync(join(out, "code"), "utf8"), 10)
      : Number.NaN;
    return Number.isNaN(code) ? 125 : code;
  } finally {
    clearTimeout(timer);
    for (const { child } of daemons) child.kill("SIGKILL");
    await Promise.all(daemons.map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  }
}
