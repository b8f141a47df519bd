import { concat, words } from "./octets.ts";

/** A TCP option (RFC 9293 §3.2, RFC 7323, RFC 2018). */
export type TcpOption =
  | { readonly kind: "nop" }
  | { readonly kind: "mss"; readonly value: number }
  | { readonly kind: "window-scale"; readonly shift: number }
  | { readonly kind: "sack-permitted" }
  | { readonly kind: "sack"; readonly blocks: readonly (readonly [left: number, right: number])[] }
  | { readonly kind: "timestamps"; readonly value: number; readonly echo: number }
  | { readonly kind: "other"; readonly number: number; readonly data: Uint8Array };

const MAX_OPTION_BYTES = 40;

/** The octets of some options, padded to whole words. @throws {RangeError} more than 40 octets, or a field out of range */
export function buildTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const plain = concat(...options.map(buildOption));
  const length = Math.ceil(plain.length / 4) * 4;
  if (length > MAX_OPTION_BYTES) throw new RangeError(`TCP options of ${plain.length} octets`);
  return concat(plain, new Uint8Array(length - plain.length));
}

function buildOption(option: TcpOption): Uint8Array {
  switch (option.kind) {
    case "nop":
      return words([1, 1]);
    case "mss":
      return words([1, 2], [1, 4], [2, option.value]);
    case "window-scale":
      return words([1, 3], [1, 3], [1, option.shift]);
    case "sack-permitted":
      return words([1, 4], [1, 2]);
    case "sack": {
      const edges = option.blocks.flat().map((edge) => words([4, edge]));
      return concat(words([1, 5], [1, 2 + 4 * edges.length]), ...edges);
    }
    case "timestamps":
      return words([1, 8], [1, 10], [4, option.value], [4, option.echo]);
    case "other":
      return concat(words([1, option.number], [1, 2 + option.data.length]), option.data);
  }
}

/** Reads options up to their end or an end-of-list. Undefined if a length is impossible. */
export function parseTcpOptions(octets: Uint8Array): TcpOption[] | undefined {
  const options: TcpOption[] = [];
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = 0; at < octets.length; ) {
    const number = view.getUint8(at);
    if (number === 0) break;
    if (number === 1) {
      options.push({ kind: "nop" });
      at++;
      continue;
    }
    const length = at + 1 < octets.length ? view.getUint8(at + 1) : 0;
    if (length < 2 || at + length > octets.length) return undefined;
    options.push(parseOption(number, octets.slice(at + 2, at + length)));
    at += length;
  }
  return options;
}

function parseOption(number: number, data: Uint8Array): TcpOption {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (number === 2 && data.length === 2) return { kind: "mss", value: view.getUint16(0) };
  if (number === 3 && data.length === 1) return { kind: "window-scale", shift: view.getUint8(0) };
  if (number === 4 && data.length === 0) return { kind: "sack-permitted" };
  if (number === 8 && data.length === 8) {
    return { kind: "timestamps", value: view.getUint32(0), echo: view.getUint32(4) };
  }
  if (number === 5 && data.length > 0 && data.length % 8 === 0) {
    const blocks = Array.from({ length: data.length / 8 }, (_, i) => {
      return [view.getUint32(8 * i), view.getUint32(8 * i + 4)] as const;
    });
    return { kind: "sack", blocks };
  }
  return { kind: "other", number, data };
}
