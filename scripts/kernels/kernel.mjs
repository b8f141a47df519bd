// Debian's own cloud kernel of the running release, unpacked into .cache/kernels: image, modules, and an initramfs that
// mounts the host's root. Nothing is installed on the host.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, root, run, say } from "../lib/run.mjs";
import { keyOf } from "../lib/stamp.mjs";

const META_PACKAGE = "linux-image-cloud-amd64";
const here = dirname(fileURLToPath(import.meta.url));
const cache = join(root, ".cache", "kernels");
/** What the initramfs needs to reach the host's root; the rest is loaded on demand from there. */
const EARLY_MODULES = ["virtio_pci", "virtiofs", "overlay"];

/** Why no kernel can be run here, or undefined. */
export function whyNotHere() {
  if (process.arch !== "x64") return "only on x86-64";
  if (process.getuid?.() !== 0) return "needs root (to share the file system with the guest)";
  for (const name of ["apt-get", "dpkg-deb", "qemu-system-x86_64", "busybox", "cpio"]) {
    if (findProgram(name) === undefined) return `needs ${name}`;
  }
  return virtiofsd() === undefined ? "needs virtiofsd" : undefined;
}

/** Path of the daemon that shares folders with a guest, or undefined. */
export function virtiofsd() {
  return ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"].find((path) => existsSync(path));
}

async function must(argv, options) {
  const { code, output } = await run(argv, { quiet: true, ...options });
  if (code !== 0) throw new Error(`exit ${code}: ${argv.join(" ")}\n${output}`);
  return output;
}

/** Name of the package that the meta package stands for today, e.g. linux-image-6.1.0-56-cloud-amd64. */
async function packageName() {
  const { output } = await run(["apt-cache", "depends", "--no-recommends", META_PACKAGE], { quiet: true });
  return /Depends: (linux-image-[0-9]\S*)/.exec(output)?.[1];
}

async function download(folder) {
  for (const again of [false, true]) {
    if (again) await must(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "update"]);
    const name = await packageName();
    if (name === undefined) continue;
    const options = ["-q", "-o", "APT::Sandbox::User=root"];
    const { code } = await run(["apt-get", ...options, "download", name], { quiet: true, cwd: folder });
    const file = readdirSync(folder).find((entry) => entry.endsWith(".deb"));
    if (code === 0 && file !== undefined) return join(folder, file);
  }
  throw new Error(`apt has no ${META_PACKAGE}`);
}

/** Paths, relative to the modules' folder, of some modules and all that they depend on. What is built in is left out. */
function withDependencies(modules, names) {
  const lines = readFileSync(join(modules, "modules.dep"), "utf8").split("\n");
  return names.flatMap((name) => {
    const line = lines.find((text) => text.split(":")[0]?.endsWith(`/${name}.ko`));
    return line === undefined
      ? []
      : line
          .replace(":", "")
          .split(" ")
          .filter((path) => path !== "");
  });
}

async function makeInitramfs(kernel) {
  const tree = mkdtempSync(join(cache, "initramfs-"));
  const modules = join("lib/modules", kernel.release);
  for (const folder of ["bin", "host", "root", "out", "proc", "sys", "dev", "overlay", modules]) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  cpSync(findProgram("busybox"), join(tree, "bin/busybox"));
  cpSync(join(here, "init.sh"), join(tree, "init"));
  chmodSync(join(tree, "init"), 0o755);
  for (const path of ["modules.dep", ...withDependencies(kernel.modules, EARLY_MODULES)]) {
    cpSync(join(kernel.modules, path), join(tree, modules, path));
  }
  const fresh = `${kernel.initramfs}.${process.pid}`;
  await must(["sh", "-c", 'find . | cpio --quiet -o -H newc | gzip -1 > "$1"', "sh", fresh], { cwd: tree });
  renameSync(fresh, kernel.initramfs);
  rmSync(tree, { recursive: true });
}

function kernelIn(folder, key) {
  const release = readdirSync(join(folder, "lib/modules"))[0];
  return {
    release,
    image: join(folder, "boot", `vmlinuz-${release}`),
    modules: join(folder, "lib/modules", release),
    initramfs: join(folder, `initramfs-${key}.gz`),
  };
}

/** The kernel, fetched and unpacked once. @returns {{release: string, image: string, modules: string, initramfs: string}} */
export async function provideKernel() {
  mkdirSync(cache, { recursive: true });
  let folder = readdirSync(cache).find((name) => name.startsWith("linux-image-"));
  if (folder === undefined) {
    say(`kernels: fetching ${META_PACKAGE}`);
    const temporary = mkdtempSync(join(cache, "download-"));
    const file = await download(temporary);
    folder = basename(file).split("_")[0];
    await must(["dpkg-deb", "-x", file, join(temporary, "tree")]);
    const release = readdirSync(join(temporary, "tree/lib/modules"))[0];
    await must(["busybox", "depmod", "-b", join(temporary, "tree"), release]);
    renameSync(join(temporary, "tree"), join(cache, folder));
    rmSync(temporary, { recursive: true });
  }
  const kernel = kernelIn(join(cache, folder), keyOf(EARLY_MODULES, [join(here, "init.sh")]).slice(0, 12));
  if (!existsSync(kernel.initramfs)) await makeInitramfs(kernel);
  return kernel;
}
