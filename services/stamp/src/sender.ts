import { CommandError, createLogger } from "@waymark/agent";
import { interfaceInfo } from "@waymark/bpf-runtime";
import { agentIdentity, checkInterface, openAgentPublisher, Telemetry } from "@waymark/probe";
import type { StampAnswerTlvs } from "../bpf/stamp_sender.gen.ts";
import { answerTlvs } from "./answer-tlvs.ts";
import { enforceClock } from "./clock-guard.ts";
import { KeyRing } from "./key-ring.ts";
import { Measuring } from "./measuring.ts";
import type { SenderOptions } from "./options.ts";
import { SenderMeter } from "./sender-meter.ts";
import { SenderOutput } from "./sender-output.ts";
import { checkOptions, windowOf } from "./sender-plan.ts";
import { Sessions } from "./sessions.ts";
import type { Surroundings } from "./surroundings.ts";
import { resolveTargets } from "./target.ts";
import { VERSION } from "./version.ts";
import { taiOffset } from "./wire-clock.ts";

/** How long the last reports may take at an orderly end. */
const FLUSH_MS = 5000;

/** Sends, measures, reports. @throws when it cannot, with a message of one line and an exit code */
export async function runSender(
  options: SenderOptions,
  signal: AbortSignal,
  { clock, terminal }: Surroundings,
): Promise<void> {
  checkOptions(options);
  enforceClock(clock, options);
  const output = new SenderOutput(options, terminal);
  const logger = createLogger({ name: "stamp", level: options.debug ? "debug" : options.logLevel });
  const keyRing = options.authKeyFile === undefined ? undefined : new KeyRing(options.authKeyFile);
  if (keyRing && !keyRing.keys.forSsid(options.ssid)) {
    throw new CommandError(`--auth-key-file ${options.authKeyFile}: no key for SSID ${options.ssid}`);
  }
  const tlvKeys = options.tlvKeyFile === undefined ? undefined : new KeyRing(options.tlvKeyFile, "--tlv-key-file");
  const key = () => (keyRing ?? tlvKeys)?.keys.forSsid(options.ssid);
  const targets = await resolveTargets(options.host);
  const { device } = options;
  const { ifindex } = interfaceInfo(device);
  using meter = new SenderMeter({
    device,
    clock,
    order: options.order,
    taiOffsetS: taiOffset(clock, options.taiOffset),
    trustClock: options.trustClock,
    config: {
      port: options.sourcePort,
      ssid: options.ssid,
      authenticated: keyRing !== undefined,
      format: options.timestamps,
      dscp: options.dscp,
      tlvs: options.tlv.length > 0,
      sessions: targets.length,
      window: windowOf(options),
    },
    ...(keyRing && { keys: keyRing.states() }),
  });
  const mode = keyRing ? "authenticated" : "unauthenticated";
  const timelineNs = clock.offsetNs();
  using sessions = await Sessions.open({ options, targets, meter, clock, mode, key, timelineNs });
  const identity = agentIdentity({ service: "stamp", role: "sender", interface: device, version: VERSION }, options);
  let own = () => ({});
  const counters = () => ({ ...meter.counters(), ...own() });
  const telemetry = new Telemetry(identity);
  telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  const publisher = openAgentPublisher({ identity, reporting: options, clock, counters, logger });
  telemetry.follow(publisher, counters);
  logger.info("measuring", {
    interface: device,
    hosts: targets.length,
    hook: meter.hook,
    mode,
    synchronised: clock.health().synchronised,
  });
  const keepUp = () => {
    checkInterface(device, ifindex);
    tlvKeys?.refresh(logger);
    if (keyRing?.refresh(logger)) meter.setKeys(keyRing.states());
    meter.keepAlive();
    if (meter.keepPlace()) logger.warn("another program runs in front of this one and may hide packets");
  };
  const events = meter.events();
  const read = (record: StampAnswerTlvs) => answerTlvs(record, mode, key());
  const tlvs = options.tlv.length > 0 ? { ring: meter.answerTlvs(), read } : undefined;
  const measuring = new Measuring({
    options,
    sessions,
    clock,
    output,
    logger,
    publisher,
    events,
    tlvs,
    timelineNs,
    keepUp,
  });
  own = () => measuring.counters();
  try {
    await measuring.run(signal);
    for (const { target, handedOut, stats } of sessions.all) {
      const kept = handedOut - stats.total.sent;
      if (kept > 0) {
        const hint = "its route uses another interface, or nobody there answers ARP or neighbour discovery";
        logger.warn(`${kept} packets to ${target.host} did not leave by ${device}`, { hint });
      }
    }
  } finally {
    telemetry.end();
    await publisher.flush({ deadlineMs: FLUSH_MS });
    await publisher.close();
  }
}
