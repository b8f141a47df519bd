import { concat, words } from "./octets.ts";
import { IP_PROTOCOL } from "./protocol.ts";

/** An IPv6 extension header to build (RFC 8200 §4, RFC 4302). */
export type ExtensionHeader =
  | {
      readonly kind: "hop-by-hop" | "destination-options";
      /** Options; padded with PadN to a multiple of 8 octets. */
      readonly options?: Uint8Array;
    }
  | {
      readonly kind: "routing";
      readonly type: number;
      readonly segmentsLeft: number;
      /** 4 + a multiple of 8 octets. */
      readonly data?: Uint8Array;
    }
  | {
      readonly kind: "fragment";
      readonly id: number;
      /** In octets, a multiple of 8. */
      readonly offset: number;
      readonly more: boolean;
    }
  | {
      readonly kind: "ah";
      readonly spi: number;
      readonly sequence: number;
      /** Integrity check value: 4 + a multiple of 8 octets, so that the header is a multiple of 8. */
      readonly icv: Uint8Array;
    };

const NUMBERS = {
  "hop-by-hop": IP_PROTOCOL.hopByHop,
  "destination-options": IP_PROTOCOL.destinationOptions,
  routing: IP_PROTOCOL.routing,
  fragment: IP_PROTOCOL.fragment,
  ah: IP_PROTOCOL.ah,
} as const;

/** Its Next Header value. */
export function extensionNumber(header: ExtensionHeader): number {
  return NUMBERS[header.kind];
}

/** The octets of one header. @throws {RangeError} a length or field that it cannot have */
export function buildExtension(header: ExtensionHeader, next: number): Uint8Array {
  switch (header.kind) {
    case "hop-by-hop":
    case "destination-options": {
      const options = header.options ?? new Uint8Array(0);
      const length = Math.ceil((options.length + 2) / 8) * 8;
      return concat(words([1, next], [1, length / 8 - 1]), options, padding(length - 2 - options.length));
    }
    case "routing": {
      const data = header.data ?? new Uint8Array(4);
      if (data.length % 8 !== 4) throw new RangeError("routing header: data of 4 + 8n octets");
      const length = 4 + data.length;
      return concat(words([1, next], [1, length / 8 - 1], [1, header.type], [1, header.segmentsLeft]), data);
    }
    case "fragment":
      if (header.offset % 8 !== 0 || header.offset > 0xfff8) throw new RangeError("fragment offset: 8n, at most 65528");
      return words([1, next], [1, 0], [2, header.offset | (header.more ? 1 : 0)], [4, header.id]);
    case "ah": {
      const length = 12 + header.icv.length;
      if (length % 8 !== 0) throw new RangeError("authentication header: ICV of 4 + 8n octets");
      return concat(words([1, next], [1, length / 4 - 2], [2, 0], [4, header.spi], [4, header.sequence]), header.icv);
    }
  }
}

function padding(length: number): Uint8Array {
  if (length < 2) return new Uint8Array(length); // Pad1
  const padN = new Uint8Array(length);
  padN[0] = 1;
  padN[1] = length - 2;
  return padN;
}
