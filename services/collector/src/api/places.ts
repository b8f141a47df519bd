import type { StoreClock } from "../clock.ts";
import type { Page, RowPlace, SumPlace } from "../store/page.ts";
import { readPageToken, tokenInteger, writePageToken } from "./page-token.ts";

/** A question: method and filters, so that a page token is good for nothing else. */
export type Question = readonly string[];

/** The texts of a question. */
export function questionOf(method: string, ...parts: readonly unknown[]): Question {
  return [
    method,
    ...parts.map((part) =>
      JSON.stringify(part, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value)),
    ),
  ];
}

/** Where a page of single rows begins; undefined for the first one. */
export function rowPlaceOf(token: string, question: Question): RowPlace | undefined {
  const texts = readPageToken(token, question, 9);
  if (texts === undefined) return undefined;
  const [from, agent = "", service = "", role = "", name = "", bootId = "", sequence, nth, within] = texts;
  return {
    fromNs: tokenInteger(from),
    agent,
    service,
    role,
    interface: name,
    bootId,
    sequence: tokenInteger(sequence),
    nth: tokenInteger(nth),
    within: tokenInteger(within),
  };
}

/** The token of the page after this one; empty for the last. */
export function rowToken({ next }: Page<unknown, RowPlace>, question: Question): string {
  if (next === undefined) return "";
  const { fromNs, agent, service, role, interface: name, bootId, sequence, nth, within } = next;
  return writePageToken(question, [
    ...[`${fromNs}`, agent, service, role, name, bootId],
    ...[`${sequence}`, `${nth}`, `${within}`],
  ]);
}

/** Where a page of sums begins: the first one at what is stored now. */
export function sumPlaceOf(token: string, question: Question, clock: StoreClock): SumPlace {
  const texts = readPageToken(token, question, 2);
  if (texts === undefined) return { asOfNs: clock.readNs(), offset: 0 };
  return { asOfNs: tokenInteger(texts[0]), offset: Number(tokenInteger(texts[1])) };
}

/** The token of the page after this one; empty for the last. */
export function sumToken({ next }: Page<unknown, SumPlace>, question: Question): string {
  return next === undefined ? "" : writePageToken(question, [`${next.asOfNs}`, `${next.offset}`]);
}
