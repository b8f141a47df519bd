/** Keys of authenticated sessions by SSID; one may stand for all others. */
export class AuthKeys {
  readonly #bySsid: ReadonlyMap<number, Uint8Array>;
  /** For every SSID without one of its own. */
  readonly any: Uint8Array | undefined;

  constructor(bySsid: ReadonlyMap<number, Uint8Array>, any: Uint8Array | undefined) {
    this.#bySsid = bySsid;
    this.any = any;
  }

  /** Keys that stand for one SSID each. */
  get bySsid(): ReadonlyMap<number, Uint8Array> {
    return this.#bySsid;
  }

  /** The key of a session; SSID 0: it has none. */
  forSsid(ssid: number): Uint8Array | undefined {
    return this.#bySsid.get(ssid) ?? this.any;
  }
}

/** Keys, or why a text holds none: one line that names the place and what is wrong, never a key. */
export type AuthKeysResult =
  | { readonly ok: true; readonly keys: AuthKeys }
  | { readonly ok: false; readonly reason: string };

/** Octets of a key: no fewer than an HMAC that is sent (RFC 2104 section 3 advises more), no more than anybody needs. */
export const KEY_OCTETS = { least: 16, most: 256 } as const;
/** As many keys may be in a file. */
export const MAX_KEYS = 1024;

const ANY = "*";
const HIGHEST_SSID = 0xffff;
const FORMS = "hex:…, base64:…, text:… or text without a colon";

/**
 * Reads a key file: a line a key, `SSID KEY`. The SSID is a number (decimal, or 0x…) or `*` for every other one; the key is
 * `hex:…`, `base64:…` or `text:…` (its UTF-8 octets; `text:` may be left out if there is no colon in it). Empty lines and
 * those that begin with `#` are skipped.
 */
export function parseAuthKeys(file: string): AuthKeysResult {
  const bySsid = new Map<number, Uint8Array>();
  let any: Uint8Array | undefined;
  for (const [index, text] of file.split(/\r?\n/).entries()) {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) continue;
    const wrong = (reason: string): AuthKeysResult => ({ ok: false, reason: `line ${index + 1}: ${reason}` });
    const [, name = "", form = ""] = /^(\S+)\s+(.+)$/.exec(line) ?? [];
    if (form === "") return wrong(`expected "SSID KEY", an SSID or * and ${FORMS}`);
    const key = parseKey(form);
    if (typeof key === "string") return wrong(key);
    if (name === ANY) {
      if (any !== undefined) return wrong("a second key for *");
      any = key;
    } else {
      const ssid = parseSsid(name);
      if (ssid === undefined) return wrong(`"${name}" is no SSID from 0 to ${HIGHEST_SSID}, and not *`);
      if (bySsid.has(ssid)) return wrong(`a second key for SSID ${ssid}`);
      bySsid.set(ssid, key);
    }
    if (bySsid.size + (any === undefined ? 0 : 1) > MAX_KEYS) return wrong(`more than ${MAX_KEYS} keys`);
  }
  if (bySsid.size === 0 && any === undefined) return { ok: false, reason: "no key in it" };
  return { ok: true, keys: new AuthKeys(bySsid, any) };
}

function parseSsid(text: string): number | undefined {
  if (!/^(0x[0-9a-f]{1,4}|0|[1-9]\d{0,4})$/i.test(text)) return undefined;
  const ssid = Number(text);
  return ssid <= HIGHEST_SSID ? ssid : undefined;
}

/** The key, or what is wrong with it. */
function parseKey(text: string): Uint8Array | string {
  const [, form = "text", body = ""] = /^(?:(hex|base64|text):)?(.*)$/.exec(text) ?? [];
  if (body === text && text.includes(":")) return `the key is to be ${FORMS}`;
  const octets = form === "hex" ? parseHex(body) : form === "base64" ? parseBase64(body) : parseText(body);
  if (octets === undefined) return `the key is no ${form}`;
  const { least, most } = KEY_OCTETS;
  if (octets.length < least || octets.length > most) {
    return `the key has ${octets.length} octets; it needs ${least} to ${most}`;
  }
  return octets;
}

function parseHex(text: string): Uint8Array | undefined {
  return /^([0-9a-f]{2})*$/i.test(text) ? Uint8Array.from(Buffer.from(text, "hex")) : undefined;
}

function parseBase64(text: string): Uint8Array | undefined {
  const octets = Buffer.from(text, "base64");
  return octets.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "") ? Uint8Array.from(octets) : undefined;
}

function parseText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
