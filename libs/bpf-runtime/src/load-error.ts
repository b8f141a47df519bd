import { constants } from "node:os";
import { BpfError, systemError, VerifierError } from "./errors.ts";
import { featureOfHelper, probeFeature, unsupportedError } from "./feature.ts";

const LOG = /prog '([^']+)': -- BEGIN PROG LOAD LOG --\n([\s\S]*?)-- END PROG LOAD LOG --/;
const FAILED_PROGRAM = /prog '([^']+)': BPF program load failed/;
const UNKNOWN_HELPER = /(?:unknown|invalid) func [^#\n]*#(\d+)/;
/** Closing statistics of every log, and what is no news. */
const NOISE = /^(processed \d+ insns|verification time|stack depth|\d+: \([0-9a-f]{2}\)|;|-- )/;
const SUMMARY_LINES = 2;

const { EPERM, EINVAL } = constants.errno;

/** The last lines of a verifier log that say something. */
export function summarise(log: string): string {
  const lines = log
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !NOISE.test(line));
  return lines.slice(-SUMMARY_LINES).join("; ") || "no reason given";
}

/** What a failed load means, from libbpf's messages. */
export function loadError(status: number, object: string, messages: string): BpfError {
  const log = LOG.exec(messages);
  const program = log?.[1] ?? FAILED_PROGRAM.exec(messages)?.[1];
  const helper = UNKNOWN_HELPER.exec(messages)?.[1];
  const feature = helper === undefined ? undefined : featureOfHelper(Number(helper));
  if (feature) return unsupportedError(feature, "load", program ?? object, -status);
  if (status === -EINVAL && /failed to create.*ringbuf/i.test(messages) && !probeFeature("ringbuf").supported) {
    return unsupportedError("ringbuf", "load", object, -status);
  }
  const text = log?.[2]?.trim() ?? "";
  // EPERM without a log: the kernel did not look at the program at all.
  if (status === -EPERM && text === "") return systemError(status, "load", object);
  if (program !== undefined) return new VerifierError(program, summarise(text), text, -status);
  const failed = systemError(status, "load", object);
  const last =
    messages
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^libbpf: /, "") ?? "";
  const details = { operation: "load", errno: -status };
  return new BpfError(failed.code, last ? `${failed.message}: ${last}` : failed.message, details);
}
