import type { Answer } from "../stats/answer.ts";
import type { OneWayTrust } from "../stats/one-way-trust.ts";
import type { AnswerVerdict } from "../stats/session-stats.ts";
import { milliseconds } from "./units.ts";

/** One answer, as `ping` shows one: what is not known is left out, one-way figures not to be trusted have a `?` behind them. */
export function answerLine(
  host: string,
  octets: number,
  answer: Answer,
  { kind, delays }: AnswerVerdict,
  trust: OneWayTrust,
): string {
  const start = `${octets} octets from ${host}: seq=${answer.sequence}`;
  if (kind === "duplicate") return `${start} duplicate`;
  if (kind === "late") return `${start} late, after ${milliseconds(answer.t4Ns - answer.t1Ns)} ms`;
  if (kind === "unmatched") return `${start} answers nothing that was sent`;
  if (delays === undefined) return `${start} ttl=${answer.senderTtl} without the reflector's times`;
  const doubt = trust === "trusted" ? "" : "?";
  const oneWay = `forward=${milliseconds(delays.forwardNs)}${doubt} backward=${milliseconds(delays.backwardNs)}${doubt}`;
  return `${start} ttl=${answer.senderTtl} rtt=${milliseconds(delays.roundTripNs)} ${oneWay} ms`;
}
