import type { OpenBpfObject } from "@waymark/bpf-runtime";
import type { flowmonSpec } from "../bpf/flowmon.gen.ts";
import { RTP_CLOCK_RATES } from "./rtp-clock.ts";

/** The kernel compares so many ports at the most (FLOWMON_RTP_PORTS). */
export const MAX_RTP_PORTS = 8;
const RTP_NAMED = 1;
const RTP_RECOGNISED = 2;

/** A port whose datagrams are RTP. */
export interface RtpPort {
  readonly port: number;
  /** Clock rate in Hz; undefined: by the payload type. */
  readonly rate: number | undefined;
}

/** What the packet programs are told before they are loaded: what is off costs nothing. */
export interface KernelConfig {
  /** Octets before the IP header. */
  readonly l2Length: number;
  readonly gaps: boolean;
  readonly bursts: boolean;
  readonly loss: boolean;
  readonly rtp: { readonly recognise: boolean; readonly ports: readonly RtpPort[] };
  /** Leave out what comes from the interface's own addresses. */
  readonly own: boolean;
  /** Flows at the most. */
  readonly tableSize: number;
}

/** Sets the constants and the size of the table of programs that are not loaded yet. */
export function configure(open: Pick<OpenBpfObject<typeof flowmonSpec>, "rodata" | "map">, config: KernelConfig): void {
  const { rtp } = config;
  const bit = (on: boolean) => (on ? 1 : 0);
  open.rodata.set({
    config: {
      l2_length: config.l2Length,
      gaps: bit(config.gaps),
      bursts: bit(config.bursts),
      loss: bit(config.loss),
      rtp: (rtp.ports.length > 0 ? RTP_NAMED : 0) | (rtp.recognise ? RTP_RECOGNISED : 0),
      own: bit(config.own),
      rtp_rates: Array.from({ length: 128 }, (_, type) => RTP_CLOCK_RATES[type] ?? 0),
      rtp_ports: Array.from({ length: MAX_RTP_PORTS }, (_, at) => ({
        port: rtp.ports[at]?.port ?? 0,
        rate: rtp.ports[at]?.rate ?? 0,
      })),
    },
  });
  open.map("flows").setMaxEntries(config.tableSize);
}
