import type { HostPort, LogLevel } from "@waymark/agent";
import type { TimeFormat } from "./codec/time-stamp.ts";

/** Values of the command line that both ends have. */
export interface CommonOptions {
  readonly device: string;
  readonly authKeyFile: string | undefined;
  readonly tlvKeyFile: string | undefined;
  readonly timestamps: TimeFormat;
  readonly taiOffset: number | undefined;
  readonly hist: readonly number[] | undefined;
  readonly histpath: string;
  readonly enforceSync: boolean;
  readonly enforcePtp: boolean;
  readonly debug: boolean;
  readonly reportInterval: bigint;
  readonly report: readonly string[];
  readonly agentId: string | undefined;
  readonly spool: string | undefined;
  readonly metrics: HostPort | undefined;
  readonly healthFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly format: "text" | "jsonl";
  readonly trustClock: boolean;
  readonly order: "first" | "last";
}

/** Of `stamp sender`. Durations in nanoseconds. */
export interface SenderOptions extends CommonOptions {
  readonly host: readonly string[];
  readonly count: number;
  readonly interval: bigint;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly wait: bigint;
  readonly schedule: "periodic" | "poisson";
  readonly ssid: number;
  readonly dscp: number;
  readonly padding: number | undefined;
  readonly tlv: readonly string[];
  readonly samples: boolean;
}

/** Of `stamp reflector`. Durations in nanoseconds. */
export interface ReflectorOptions extends CommonOptions {
  readonly port: number;
  readonly stateful: boolean;
  readonly viaStack: boolean;
  readonly sessionTable: number;
  readonly sessionTimeout: bigint;
  readonly allow: readonly string[];
  readonly rateLimit: number;
  readonly returnTo: readonly string[];
  readonly hideLocation: boolean;
  readonly answerDscp: number | undefined;
  readonly copyEcn: boolean;
  readonly output: boolean;
}
