import { Code, ConnectError } from "@connectrpc/connect";

/** Tokens longer than this are nobody's. */
const MAX_TOKEN_LENGTH = 4096;

/**
 * Writes a page token: where the next page begins and for which question. It is a place in the order, not a count,
 * so rows that are stored meanwhile neither shift nor repeat what follows.
 *
 * @param question what the token may be used for: method and filters
 * @param place texts that say where to go on
 */
export function writePageToken(question: readonly string[], place: readonly string[]): string {
  return Buffer.from(JSON.stringify([...question, "|", ...place])).toString("base64url");
}

/**
 * Reads a page token back; undefined for an empty one.
 *
 * @param size how many texts a place has
 * @throws ConnectError InvalidArgument when it is not a token of this question
 */
export function readPageToken(token: string, question: readonly string[], size: number): readonly string[] | undefined {
  if (token === "") return undefined;
  const texts = parse(token);
  const head = [...question, "|"];
  const own = texts?.length === head.length + size && head.every((text, index) => texts[index] === text);
  if (!own) throw new ConnectError("page_token is not of this question", Code.InvalidArgument);
  return texts.slice(head.length);
}

/** Reads an unsigned 64-bit number out of a token. */
export function tokenInteger(text: string | undefined): bigint {
  if (text === undefined || !/^\d{1,19}$/.test(text))
    throw new ConnectError("page_token is broken", Code.InvalidArgument);
  return BigInt(text);
}

/**
 * The page's size that a request asks for.
 *
 * @throws ConnectError InvalidArgument when it is negative or more than `limit`
 */
export function pageSize(asked: number, usual: number, limit: number): number {
  if (asked < 0 || asked > limit) {
    throw new ConnectError(`page_size ${asked} is not 1 to ${limit}, nor 0 for ${usual}`, Code.InvalidArgument);
  }
  return asked === 0 ? usual : asked;
}

function parse(token: string): readonly string[] | undefined {
  if (token.length > MAX_TOKEN_LENGTH || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(value) && value.every((text) => typeof text === "string") ? value : undefined;
  } catch {
    // Not ours.
    return undefined;
  }
}
