import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Who reports: an agent is (id, service, role, interface). */
export interface AgentIdentity {
  /** `[A-Za-z0-9_-]{1,64}` */
  readonly id: string;
  /** "altmark", "stamp", … `[A-Za-z0-9_-]{1,64}` */
  readonly service: string;
  /** "source", "sink", … or empty. */
  readonly role: string;
  readonly interface: string;
  /** The full host name. */
  readonly host: string;
  /** Of the service. */
  readonly version: string;
}

const IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text may be an agent id, a service or a boot id: `[A-Za-z0-9_-]{1,64}`. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** The agent id that a host name gives: its first label, other characters turned into `_`, 64 characters at most. */
export function agentIdOf(hostName: string): string {
  const label = hostName.split(".", 1)[0] ?? "";
  return label.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "_";
}

/** What this host is called and which run of its kernel this is. */
export interface HostIdentity {
  /** The host name as the kernel has it. */
  readonly host: string;
  /** The default agent id. */
  readonly agentId: string;
  /** `/proc/sys/kernel/random/boot_id`: agents with the same one share a clock. Empty where it cannot be read. */
  readonly kernelBootId: string;
}

/** Reads the host's names from the system. */
export function hostIdentity(): HostIdentity {
  const host = hostname();
  return { host, agentId: agentIdOf(host), kernelBootId: readKernelBootId() };
}

function readKernelBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux, or /proc is masked: an empty id claims a shared clock with nobody.
    return "";
  }
}

const processBootId = randomUUID();

/**
 * The boot id of this process: the same at every call, new with every start.
 * A process that reports under several identities takes one `newBootId()` for each: sequences count per boot.
 */
export function bootId(): string {
  return processBootId;
}

/** A boot id that no other process or identity has. */
export function newBootId(): string {
  return randomUUID();
}
