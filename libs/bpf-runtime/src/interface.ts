import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { BpfError, check } from "./errors.ts";
import { type NativeInterface, native } from "./native.ts";

/** A network interface of this network namespace. */
export interface InterfaceInfo {
  readonly name: string;
  readonly ifindex: number;
  /** ARPHRD number: 1 Ethernet, 772 loopback, 65534 no link layer (tun, WireGuard). */
  readonly linkType: number;
  readonly up: boolean;
  readonly mtu: number;
  /** `02:00:00:00:00:01`; undefined where the link layer has no addresses of 6 octets. */
  readonly mac: string | undefined;
  /** Text, IPv4 first. */
  readonly addresses: readonly string[];
}

/** What the interface has carried since it was made; super-packets count as one. */
export interface InterfaceCounters {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

const MAC_BYTES = 6;
const ROUTE_UP = 0x1;
const ROUTE_REJECT = 0x200;
const { ENODEV } = constants.errno;

function query(nameOrIndex: string | number): NativeInterface {
  const operation = "find interface";
  const found = native().interfaceInfo(nameOrIndex);
  if (found.status === -ENODEV) {
    const message = `find interface ${nameOrIndex}: there is none in this network namespace (ENODEV)`;
    throw new BpfError("BPF_NO_INTERFACE", message, { operation, errno: ENODEV });
  }
  check(found.status, operation, String(nameOrIndex));
  return found;
}

/** Looks an interface up by name or index. @throws BpfError BPF_NO_INTERFACE */
export function interfaceInfo(nameOrIndex: string | number): InterfaceInfo {
  const { name, ifindex, linkType, up, mtu, mac } = query(nameOrIndex);
  const octets = Array.from(mac, (octet) => octet.toString(16).padStart(2, "0"));
  return {
    name,
    ifindex,
    linkType,
    up,
    mtu,
    mac: octets.length === MAC_BYTES ? octets.join(":") : undefined,
    addresses: native().interfaceAddresses(ifindex),
  };
}

/** Reads the interface's own counters. @throws BpfError BPF_NO_INTERFACE */
export function interfaceCounters(nameOrIndex: string | number): InterfaceCounters {
  const { rxPackets, txPackets, rxBytes, txBytes, rxDropped, txDropped } = query(nameOrIndex);
  return { rxPackets, txPackets, rxBytes, txBytes, rxDropped, txDropped };
}

interface Route {
  readonly name: string;
  readonly metric: number;
}

function readTable(name: string): readonly (readonly string[])[] {
  try {
    const text = readFileSync(`/proc/thread-self/net/${name}`, "utf8");
    return text.split("\n").map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // a kernel without this family
  }
}

function isUsable(flags: string | undefined): boolean {
  const bits = Number.parseInt(flags ?? "0", 16);
  return (bits & ROUTE_UP) !== 0 && (bits & ROUTE_REJECT) === 0;
}

function defaultRoutes4(): readonly Route[] {
  return readTable("route").flatMap(([name, destination, , flags, , , metric, mask]) =>
    destination === "00000000" && mask === "00000000" && isUsable(flags)
      ? [{ name: name ?? "", metric: Number(metric) }]
      : [],
  );
}

function defaultRoutes6(): readonly Route[] {
  return readTable("ipv6_route").flatMap((fields) => {
    const [destination, prefix, , , , metric, , , flags, name] = fields;
    const isDefault = prefix === "00" && /^0{32}$/.test(destination ?? "") && isUsable(flags) && name !== "lo";
    return isDefault ? [{ name: name ?? "", metric: Number.parseInt(metric ?? "0", 16) }] : [];
  });
}

/** The interface of the default route: of IPv4 if there is one, the lowest metric first. @throws BpfError BPF_NO_INTERFACE */
export function defaultRouteInterface(): string {
  const routes = [defaultRoutes4(), defaultRoutes6()].find((found) => found.length > 0) ?? [];
  const best = routes.toSorted((a, b) => a.metric - b.metric)[0];
  if (best) return best.name;
  const operation = "find default route";
  throw new BpfError("BPF_NO_INTERFACE", `${operation}: there is none; name the interface`, { operation });
}
