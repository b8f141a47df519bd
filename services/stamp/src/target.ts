import { lookup } from "node:dns/promises";
import { CommandError } from "@waymark/agent";
import { type Family, familyOf, formatAddress, parseAddress } from "@waymark/packet";

/** A reflector to send to. */
export interface Target {
  /** As the user named it. */
  readonly host: string;
  /** Text, in its shortest form. */
  readonly address: string;
  readonly family: Family;
}

/** As many sessions are measured at once (STAMP_MAX_TARGETS). */
export const MAX_TARGETS = 1024;

/** Looks up all hosts. @throws CommandError for a name without address, or two names of one */
export async function resolveTargets(hosts: readonly string[]): Promise<readonly Target[]> {
  if (hosts.length > MAX_TARGETS) throw new CommandError(`${hosts.length} hosts are more than ${MAX_TARGETS}`);
  const targets = await Promise.all(hosts.map(resolveTarget));
  for (const [index, { host, address }] of targets.entries()) {
    const first = targets.findIndex((other) => other.address === address);
    if (first < index) throw new CommandError(`${host} and ${targets[first]?.host} are both ${address}`);
  }
  return targets;
}

async function resolveTarget(host: string): Promise<Target> {
  const octets = parseAddress(host) ?? parseAddress(await addressOf(host));
  if (!octets) throw new CommandError(`host "${host}" has no address that packets can be sent to`);
  return { host, address: formatAddress(octets), family: familyOf(octets) };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new CommandError(`host "${host}" cannot be looked up: ${(error as Error).message}`, { cause: error });
  }
}
