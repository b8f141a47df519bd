// System packages of Debian and how to tell that what they bring is there (whatever the distribution).
import { existsSync, readFileSync } from "node:fs";
import { findProgram } from "./run.mjs";

const program = (name) => () => findProgram(name) !== undefined;
const file = (path) => () => existsSync(path);

const demo = {
  "g++": program("g++"),
  clang: program("clang"),
  llvm: program("llvm-strip"),
  "libbpf-dev": file("/usr/include/bpf/bpf.h"),
  "libelf-dev": file("/usr/include/libelf.h"),
  iproute2: program("ip"),
  nftables: program("nft"),
  ethtool: program("ethtool"),
};

const test = {
  ...demo,
  bpftool: program("bpftool"),
  iperf3: program("iperf3"),
  tshark: program("tshark"),
  tcpdump: program("tcpdump"),
  "nats-server": program("nats-server"),
  "iputils-ping": program("ping"),
  jq: program("jq"),
};

const kernels = {
  ...test,
  "qemu-system-x86": program("qemu-system-x86_64"),
  "busybox-static": program("busybox"),
  cpio: program("cpio"),
};

/** What each purpose needs: package → is it there? */
export const packageSets = { demo, test, kernels };

/** Packages of a set that are missing here. */
export function missingPackages(purpose) {
  return Object.entries(packageSets[purpose])
    .filter(([, isThere]) => !isThere())
    .map(([name]) => name);
}

/** Is this a Debian or a relative of it? */
export function isDebian() {
  try {
    return (
      /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8")) && findProgram("apt-get") !== undefined
    );
  } catch {
    return false;
  }
}
