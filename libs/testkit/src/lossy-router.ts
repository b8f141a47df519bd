import type { Namespace } from "./namespace.ts";
import { type Counter, readCounters } from "./nft-counters.ts";
import { COUNTER_PREFIX, type RouterDevices, type RouterRule, routerScript } from "./router-rule.ts";

/**
 * A namespace that forwards between two links, where packets are lost, counted and changed by exact rules. Its counters
 * are the truth to compare with, if its links carry real segments (see MeasuredPath).
 */
export class LossyRouter {
  readonly ns: Namespace;
  readonly devices: RouterDevices;

  constructor(ns: Namespace, devices: RouterDevices) {
    this.ns = ns;
    this.devices = devices;
  }

  /**
   * Puts these rules in the place of all former ones, in one transaction. Counters and sequences begin at 0.
   * An empty list forwards everything. @throws {RangeError} an impossible rule; @throws {CommandError} nft refuses it
   */
  async apply(rules: readonly RouterRule[]): Promise<void> {
    await this.ns.nft(routerScript(rules, this.devices));
  }

  /** All counters now, by name. */
  async counters(): Promise<Map<string, Counter>> {
    const counters = new Map<string, Counter>();
    for (const [name, counter] of await readCounters(this.ns)) {
      if (name.startsWith(COUNTER_PREFIX)) counters.set(name.slice(COUNTER_PREFIX.length), counter);
    }
    return counters;
  }

  /** One counter now. @throws {RangeError} no rule has this name */
  async counter(name: string): Promise<Counter> {
    const counter = (await this.counters()).get(name);
    if (counter === undefined) throw new RangeError(`router: no counter ${name}`);
    return counter;
  }

  /**
   * Limits IPv4 packets towards the sink or the source: longer ones without DF are fragmented here, others refused with
   * an ICMP error. The interface keeps its MTU (below 1280 the kernel would take IPv6 away from it).
   */
  async setIpv4Mtu(direction: "forward" | "reverse", mtu: number): Promise<void> {
    const device = this.devices[direction];
    const routes = (await this.ns.ipJson("-4", "route", "show", "dev", device)) as readonly {
      readonly dst: string;
      readonly gateway?: string;
    }[];
    await this.ns.ip(
      ...routes.map(({ dst, gateway }) => {
        const via = gateway === undefined ? "" : `via ${gateway}`;
        return `route replace ${dst} ${via} dev ${device} mtu lock ${mtu}`;
      }),
    );
  }
}
