import type { Namespace } from "./namespace.ts";
import { type Counter, readCounters } from "./nft-counters.ts";
import { type RouterDevices, type RouterRule, routerScript } from "./router-rule.ts";

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
  counters(): Promise<Map<string, Counter>> {
    return readCounters(this.ns);
  }

  /** One counter now. @throws {RangeError} no rule has this name */
  async counter(name: string): Promise<Counter> {
    const counter = (await this.counters()).get(name);
    if (counter === undefined) throw new RangeError(`router: no counter ${name}`);
    return counter;
  }

  /** Sets the MTU towards the sink or the source: longer IPv4 packets without DF are fragmented there. */
  async setMtu(direction: "forward" | "reverse", mtu: number): Promise<void> {
    await this.ns.ip(`link set dev ${this.devices[direction]} mtu ${mtu}`);
  }
}
