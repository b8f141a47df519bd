import { fileURLToPath } from "node:url";
import {
  type ManagedProcess,
  type Namespace,
  NetLab,
  type Offloads,
  Wire,
  type WireOptions,
  waitFor,
} from "@waymark/testkit";

const BIN = fileURLToPath(new URL("../bin/pping.js", import.meta.url));
const READY_MS = 30_000;

export const DEVICE = "eth0";
export const NEAR = "10.82.0.1";
export const FAR = "10.82.0.2";
export const NEAR6 = "fd82::1";
export const FAR6 = "fd82::2";

/** Two hosts, joined by a wire with delay and faults, or by a veth pair. */
export interface TwoHosts extends AsyncDisposable {
  readonly lab: NetLab;
  readonly near: Namespace;
  readonly far: Namespace;
  readonly wire: Wire | undefined;
}

/** @param offloads of both ends of a veth pair; the kernel's defaults otherwise */
export async function twoHosts(wire?: WireOptions, offloads?: Offloads): Promise<TwoHosts> {
  const lab = await NetLab.create();
  try {
    const [near, far] = [await lab.namespace("near"), await lab.namespace("far")];
    const more = offloads === undefined ? {} : { offloads };
    const ends = [
      { ns: near, device: DEVICE, addresses: [`${NEAR}/24`, `${NEAR6}/64`], ...more },
      { ns: far, device: DEVICE, addresses: [`${FAR}/24`, `${FAR6}/64`], ...more },
    ] as const;
    if (wire === undefined) await lab.link(...ends);
    const made = wire === undefined ? undefined : await Wire.start(lab, ...ends, wire);
    return { lab, near, far, wire: made, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts `pping` in a namespace. */
export function pping(ns: Namespace, ...args: readonly string[]): ManagedProcess {
  return ns.spawn([process.execPath, BIN, ...args]);
}

/** Waits until it measures. */
export async function measuring(child: ManagedProcess): Promise<ManagedProcess> {
  await child.waitForLine(/measuring/, { deadlineMs: READY_MS, stream: "stderr" }).catch((error: Error) => {
    throw new Error(`${error.message}\n${child.stderr.join("\n")}`);
  });
  return child;
}

/** Waits until all connections have ended at both ends, so that no answer is on its way any more. */
export async function connectionsEnded({ near, far }: TwoHosts): Promise<void> {
  const states = [
    "syn-sent",
    "syn-recv",
    "established",
    "fin-wait-1",
    "fin-wait-2",
    "close-wait",
    "last-ack",
    "closing",
  ];
  const list = ["ss", "-Htan", ...states.flatMap((state) => ["state", state])];
  const open = async (ns: Namespace) => (await ns.exec(list)).stdout.trim() !== "";
  await waitFor(async () => !(await open(near)) && !(await open(far)), {
    deadlineMs: READY_MS,
    what: "the end of all connections",
  });
}

const DNS_SERVER = `
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (query, from) => { query[2] |= 0x80; socket.send(query, from.port, from.address); });
socket.bind(53, () => console.log("ready"));
`;
const DNS_CLIENT = `
const socket = require("node:dgram").createSocket("udp4");
const [to, count] = [process.argv[1], Number(process.argv[2])];
let id = 0;
const ask = () => { const query = Buffer.alloc(29); query.writeUInt16BE(++id); query[2] = 1; socket.send(query, 53, to); };
socket.on("message", () => (id < count ? ask() : (socket.close(), console.log("done"))));
ask();
`;

/** Starts something that answers DNS queries. */
export async function startDnsServer(ns: Namespace): Promise<void> {
  const server = ns.spawn([process.execPath, "-e", DNS_SERVER]);
  await server.waitForLine(/ready/, { deadlineMs: READY_MS });
}

/** Asks so many queries, one after the other. */
export async function askDns(ns: Namespace, to: string, count: number): Promise<void> {
  await ns.exec([process.execPath, "-e", DNS_CLIENT, to, String(count)], { deadlineMs: READY_MS });
}
