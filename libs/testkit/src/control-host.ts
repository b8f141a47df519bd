import type { Namespace } from "./namespace.ts";
import type { NetLab } from "./net-lab.ts";

/** The host that collects, reached only by control links. */
export interface ControlHost {
  readonly ns: Namespace;
  /** One address for all hosts. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** The interface of a host towards the collector. */
export const CONTROL_DEVICE = "ctl0";

/** Makes a namespace `collector` with a link of its own to each of these hosts, which it gives addresses and routes. */
export async function linkCollector(lab: NetLab, hosts: readonly Namespace[]): Promise<ControlHost> {
  const ns = await lab.namespace("collector");
  const own = { ipv4: "10.78.0.1", ipv6: "fd78::1" };
  await ns.ip(`address add ${own.ipv4}/32 dev lo`, `address add ${own.ipv6}/128 dev lo nodad`);
  for (const [i, host] of hosts.entries()) {
    const n = i + 1;
    await lab.link(
      { ns, device: `ctl${n}`, addresses: [`10.78.${n}.1/24`, `fd78:0:0:${n}::1/64`] },
      { ns: host, device: CONTROL_DEVICE, addresses: [`10.78.${n}.2/24`, `fd78:0:0:${n}::2/64`] },
    );
    await host.ip(`route add ${own.ipv4}/32 via 10.78.${n}.1`, `route add ${own.ipv6}/128 via fd78:0:0:${n}::1`);
  }
  return { ns, ...own };
}
