export { type Address, type Family, familyOf, formatAddress, mapIpv4, parseAddress, sameAddress } from "./address.ts";
export { type Cidr, type CidrResult, cidrContains, formatCidr, parseCidr } from "./cidr.ts";
