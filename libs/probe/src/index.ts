export {
  type AgentPublisherOptions,
  agentIdentity,
  openAgentPublisher,
  type ReportingOptions,
} from "./agent-publisher.ts";
export { Attachment, type Place } from "./attachment.ts";
export { clockOffset } from "./clock-offset.ts";
export { attachHook, checkInterface } from "./device.ts";
export { type Instance, lockInstance } from "./instance-lock.ts";
export { linkHeaderLength } from "./link-header.ts";
export { HARMLESS_PROGRAMS } from "./own-programs.ts";
export { type Counters, Telemetry } from "./telemetry.ts";
export { UnseenPackets } from "./unseen-packets.ts";
export { systemClock, type WallClock } from "./wall-clock.ts";
