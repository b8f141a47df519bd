/** `02:00:00:00:00:01` of a number of 48 bits. */
export function formatMac(mac: number): string {
  const hex = mac.toString(16).padStart(12, "0");
  return hex.match(/../g)?.join(":") ?? hex;
}

/** The six octets of a number of 48 bits. */
export function macOctets(mac: number): Uint8Array {
  const octets = new Uint8Array(6);
  const view = new DataView(octets.buffer);
  view.setUint16(0, Math.floor(mac / 2 ** 32));
  view.setUint32(2, mac >>> 0);
  return octets;
}
