import type { PpingPrefix, PpingPrefixTraffic } from "../bpf/pping.gen.ts";
import type { Measurement } from "./config.ts";
import { eventFormat } from "./event-format.ts";
import type { FlowEnd } from "./flow-end.ts";
import type { RttSample } from "./news.ts";
import { streamOutput } from "./output.ts";
import { Recorder } from "./recorder.ts";

const address = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]);
const flow = { flowId: 1, direction: 0, source: address, destination: address } as FlowEnd;

function spin(rttNs: number, confidencePermille: number): RttSample {
  const counts = {} as RttSample["counts"];
  return {
    kind: "rtt",
    flow,
    atNs: 0n,
    counts,
    rttNs,
    minRttNs: 0,
    method: "quic_spin",
    local: false,
    confidencePermille,
  };
}

test("samples of a random spin bit are counted by themselves, and are in no percentile", () => {
  const stream = {
    text: "",
    writableLength: 0,
    write(text: string) {
      stream.text += text;
    },
  };
  const aggregation = { intervalNs: 1n, timeoutNs: 0n, ipv4Bits: 24, ipv6Bits: 48, reverse: false, prefixes: 3 };
  const measurement = { aggregation, methods: { sequence: false }, flows: 4 } as Measurement;
  const format = eventFormat("jsonl", false);
  const output = streamOutput(stream, "jsonl");
  const recorder = new Recorder({ measurement, format, output, publisher: undefined });
  recorder.add([spin(20_000_000, 900), spin(9_000_000_000, 499), spin(20_000_000, 500)]);
  const none: Iterable<readonly [PpingPrefix, PpingPrefixTraffic]> = [];
  recorder.aggregate(0n, 1n, none);
  expect(recorder.sampleCounts).toEqual({ samples_quic_spin: 3n, samples_quic_spin_doubtful: 1n });
  expect(JSON.parse(stream.text)).toMatchObject({ count_rtt: 2, max_rtt: 20_000_000 });
});
