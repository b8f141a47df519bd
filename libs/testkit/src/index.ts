export { Capture, type CaptureOptions, readCapture } from "./capture.ts";
export { linkChecksumComplete, snmp6Counter, type TunnelEnd } from "./checksum-complete-link.ts";
export { type ControlHost, linkCollector } from "./control-host.ts";
export {
  type DatagramOptions,
  DatagramReceiver,
  type ReceivedDatagrams,
  type SentDatagrams,
  sendDatagrams,
} from "./datagrams.ts";
export { describeWithDocker, whyNoDocker } from "./docker.ts";
export { CommandError, type ExecOptions, type ExecResult, exec } from "./exec.ts";
export { type FrameOptions, sendFrames } from "./frames.ts";
export { type Iperf3Options, type Iperf3Result, runIperf3, startIperf3Server } from "./iperf3.ts";
export { LossyRouter } from "./lossy-router.ts";
export { type ExitStatus, ManagedProcess, type SpawnOptions } from "./managed-process.ts";
export { MeasuredPath, type PathHost, type PathOptions } from "./measured-path.ts";
export { type InterfaceStatistics, Namespace } from "./namespace.ts";
export { type NatsServer, startNatsServer } from "./nats-server.ts";
export { type LinkEnd, NetLab } from "./net-lab.ts";
export { type Counter, readCounters } from "./nft-counters.ts";
export { type Offloads, REAL_SEGMENTS } from "./offloads.ts";
export { type PingResult, ping } from "./ping.ts";
export {
  describePrivileged,
  describeWithTools,
  findTool,
  requirePrivileged,
  requireTool,
  type SuiteNeeds,
  whyUnprivileged,
} from "./privilege.ts";
export { waitUntilReady } from "./ready.ts";
export { type CounterSource, colour, ledgerRules, type RouterBlock, RouterLedger } from "./router-ledger.ts";
export {
  counterNames,
  type PacketMatch,
  type RouterAction,
  type RouterDevices,
  type RouterRule,
  routerScript,
  type Selection,
} from "./router-rule.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
export { Wire, type WireCounters, type WireOptions, type WireState, whyNoWire } from "./wire.ts";
