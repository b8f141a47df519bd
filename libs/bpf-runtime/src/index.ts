export type { Batch } from "./batch.ts";
export { clockNow, type KernelClockHealth, kernelBootId, kernelClockHealth, monotonicNow, taiNow } from "./clock.ts";
export { type ClockStep, type WatchOptions, watchClockSteps } from "./clock-steps.ts";
export { removeStaleTc, type StaleTcOptions, type TcFilterPlace, tcFiltersBefore } from "./clsact.ts";
export { BPF_ERROR_CODES, BpfError, type BpfErrorCode, VerifierError } from "./errors.ts";
export { FEATURES, type Feature, type FeatureName, probeFeature, probeFeatures } from "./feature.ts";
export {
  defaultRouteInterface,
  type InterfaceCounters,
  type InterfaceInfo,
  interfaceCounters,
  interfaceInfo,
} from "./interface.ts";
export { BpfLink, type Direction, type LinkKind, type Order } from "./link.ts";
export type { ReadOptions } from "./map.ts";
export { BpfMap } from "./map.ts";
export type { MapInfo, UpdateMode } from "./map-handle.ts";
export { BpfObject, type MapFor, OpenBpfObject, type OpenMap, type OpenProgram } from "./object.ts";
export type { MapNames, MapType, ObjectSpec } from "./object-spec.ts";
export { OuterMap } from "./outer-map.ts";
export { PerCpuMap } from "./per-cpu-map.ts";
export type {
  AttachTcOptions,
  ProgramInfo,
  TcOptions,
  TestRunOptions,
  TestRunResult,
  XdpOptions,
} from "./program.ts";
export { BpfProgram } from "./program.ts";
export { BpfRingBuffer, type RingBatch, type RingBufferOptions, type RingBufferStats } from "./ring-buffer.ts";
export type { SkbInput, SkbOutput } from "./skb.ts";
export { programName, tcxPrograms } from "./tcx.ts";
export { Variables } from "./variables.ts";
