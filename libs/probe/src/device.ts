import { interfaceInfo, probeFeature } from "@waymark/bpf-runtime";

/** By which way TC programs are attached on this kernel: TCX since Linux 6.6. */
export function attachHook(): "tcx" | "clsact" {
  return probeFeature("tcx").supported ? "tcx" : "clsact";
}

/** @throws when the interface is gone, or another one has its name */
export function checkInterface(device: string, ifindex: number): void {
  if (interfaceInfo(device).ifindex !== ifindex) {
    throw new Error(`interface ${device} was replaced by another one of that name`);
  }
}
