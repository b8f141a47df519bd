import { UnsupportedError } from "@waymark/agent";

const ETHERNET_HEADER = 14;
/** ARPHRD_ numbers (linux/if_arp.h) of devices whose packets begin with an Ethernet header at TC. */
const ETHERNET = new Set([1 /* ETHER */, 772 /* LOOPBACK */]);
/** Of those whose packets begin with the IP header. */
const LAYER_3 = new Set([
  65_534 /* NONE: tun, WireGuard */, 512 /* PPP */, 519 /* RAWIP */, 768 /* TUNNEL */, 769 /* TUNNEL6 */, 776 /* SIT */,
  778 /* IPGRE */, 823 /* IP6GRE */,
]);

/**
 * Octets before the IP header of packets of a device at TC.
 *
 * @param linkType ARPHRD_ number
 * @throws UnsupportedError for a link layer that we do not know
 */
export function linkHeaderLength(device: string, linkType: number): number {
  if (ETHERNET.has(linkType)) return ETHERNET_HEADER;
  if (LAYER_3.has(linkType)) return 0;
  throw new UnsupportedError(`interface ${device} has link type ${linkType}, which is neither Ethernet nor bare IP`);
}
