import type { PerCpuMap } from "@waymark/bpf-runtime";
import type { FlowmonOverflow } from "../bpf/flowmon.gen.ts";
import { PROTOCOL_CLASSES } from "./protocol-class.ts";
import type { OverflowReading } from "./reading.ts";

type OverflowMap = PerCpuMap<number, FlowmonOverflow>;

const DIRECTIONS = ["ingress", "egress"] as const;
const NOTHING: FlowmonOverflow = { epoch: 0n, packets: 0n, l3_bytes: 0n, payload_bytes: 0n };

/** What found no room in the interval `epoch`, so far. */
export function overflowOf(map: OverflowMap, epoch: number, device: string): OverflowReading[] {
  return [...indexed(map, epoch, device)].map(([, reading]) => reading);
}

/**
 * What found no room in the interval `epoch`, which is at rest; it is cleared, since the numbers of intervals go round and
 * a CPU may have nothing to count until this one comes again.
 */
export function takeOverflow(map: OverflowMap, epoch: number, device: string): OverflowReading[] {
  return [...indexed(map, epoch, device)].map(([index, reading]) => {
    map.fill(index, NOTHING);
    return reading;
  });
}

function* indexed(map: OverflowMap, epoch: number, device: string): Generator<[number, OverflowReading]> {
  for (const [directionAt, direction] of DIRECTIONS.entries()) {
    for (const [classAt, protocol] of PROTOCOL_CLASSES.entries()) {
      const index = ((epoch & 1) * DIRECTIONS.length + directionAt) * PROTOCOL_CLASSES.length + classAt;
      const counts = (map.perCpu(index) ?? []).filter((count) => count.epoch === BigInt(epoch));
      const sum = (field: Exclude<keyof FlowmonOverflow, "epoch">) => counts.reduce((all, c) => all + c[field], 0n);
      const packets = sum("packets");
      if (packets === 0n) continue;
      const bytes = { l3Bytes: sum("l3_bytes"), payloadBytes: sum("payload_bytes") };
      yield [index, { interface: device, direction, protocol, packets, ...bytes }];
    }
  }
}
