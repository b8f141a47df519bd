import { writeFileSync } from "node:fs";
import { CommandError, createLogger } from "@waymark/agent";
import { interfaceInfo } from "@waymark/bpf-runtime";
import { type Address, type Cidr, cidrContains, familyOf, parseAddress, parseCidr, sameAddress } from "@waymark/packet";
import {
  agentIdentity,
  checkInterface,
  lockInstance,
  openAgentPublisher,
  Telemetry,
  type WallClock,
} from "@waymark/probe";
import { enforceClock } from "./clock-guard.ts";
import { estimateError } from "./codec/error-estimate.ts";
import { SYNC_SOURCE, TIMESTAMP_METHOD } from "./codec/timestamp-method.ts";
import { KeyRing } from "./key-ring.ts";
import { NearEnd } from "./near-end.ts";
import type { ReflectorOptions } from "./options.ts";
import { pause } from "./pause.ts";
import { CAUTIOUS_POLICY, type ReflectorPolicy } from "./reflect/policy.ts";
import type { Answered } from "./reflect/reflect.ts";
import type { ReflectorClock } from "./reflect/request.ts";
import { ReflectorMeter } from "./reflector-meter.ts";
import { requestedHistogram } from "./requested-histogram.ts";
import { StackPath } from "./stack-path.ts";
import type { Surroundings } from "./surroundings.ts";
import type { CapturedRequest } from "./user-answer.ts";
import { UserPath } from "./user-path.ts";
import { VERSION } from "./version.ts";
import { taiOffset } from "./wire-clock.ts";

/** How often lease, clock, addresses, keys and sessions are looked after. */
const TICK_MS = 1000;
/** How long the last report may take at an orderly end. */
const FLUSH_MS = 5000;

/** Answers test packets until `signal` is aborted. @throws when it cannot, with a message of one line and an exit code */
export async function runReflector(
  options: ReflectorOptions,
  signal: AbortSignal,
  { clock, terminal }: Surroundings,
): Promise<void> {
  checkOptions(options);
  const logger = createLogger({ name: "stamp", level: options.debug ? "debug" : options.logLevel });
  const allowed = options.allow.map((text) => cidrOf("--allow", text));
  const returnable = options.returnTo.map((text) => cidrOf("--return-to", text));
  const histogram = requestedHistogram(options);
  enforceClock(clock, options);
  const keyRing = options.authKeyFile === undefined ? undefined : new KeyRing(options.authKeyFile);
  const tlvKeys = options.tlvKeyFile === undefined ? undefined : new KeyRing(options.tlvKeyFile, "--tlv-key-file");
  const mode = keyRing ? "authenticated" : "unauthenticated";
  const { device, port } = options;
  const { ifindex } = interfaceInfo(device);
  const taken = `a stamp reflector runs on ${device} port ${port} already; choose another with -p`;
  await using _lock = await lockInstance({ service: "stamp", role: `reflector/${port}`, ifindex, taken });
  const identity = agentIdentity({ service: "stamp", role: "reflector", interface: device, version: VERSION }, options);
  using meter = new ReflectorMeter({
    device,
    clock,
    order: options.order,
    taiOffsetS: taiOffset(clock, options.taiOffset),
    trustClock: options.trustClock,
    config: {
      port,
      authenticated: keyRing !== undefined,
      stateful: options.stateful,
      sessions: options.sessionTable,
      allowed,
      ratePerSecond: options.rateLimit,
      viaStack: options.viaStack,
      format: options.timestamps,
      dscp: options.answerDscp,
      copyEcn: options.copyEcn,
      observe: options.output || histogram !== undefined,
    },
    ...(keyRing && { keys: keyRing.states() }),
  });
  const own = () => meter.ownAddresses.flatMap((text) => parseAddress(text) ?? []);
  const isOwnAddress = (address: Address) => own().some((each) => sameAddress(each, address));
  const canReturnTo = (address: Address) => {
    const source = own().find((each) => familyOf(each) === familyOf(address));
    const isAllowed = returnable.some((cidr) => cidrContains(cidr, address));
    return isAllowed && source !== undefined && meter.wayTo(source, address) !== undefined;
  };
  const userPath = new UserPath({
    policy: policyOf(options, keyRing, tlvKeys, isOwnAddress, canReturnTo),
    clock: () => reflectorClock(clock, options),
    layer: meter.l2Length > 0 ? { link: "ethernet" } : { link: "raw" },
    stateful: options.stateful,
    send: (frame) => meter.send(frame),
    wayTo: (source, destination) => meter.wayTo(source, destination),
    ...(options.viaStack && {
      admit: (captured: CapturedRequest) => stack.capture(captured),
      sendByStack: (answer: Answered) => stack.send(answer),
    }),
  });
  using stack = new StackPath({
    mode,
    device,
    port,
    cookie: meter.cookie,
    onRequest: (captured) => userPath.answer(captured),
    logger,
  });
  if (options.viaStack) stack.listen(meter.ownAddresses);
  const counters = () => ({ ...meter.counters(), ...userPath.counters(), stack_unmatched: stack.unmatched });
  const telemetry = new Telemetry(identity);
  telemetry.watch(device);
  await using _server = await telemetry.serve(options.metrics, options.healthFile);
  const publisher = openAgentPublisher({ identity, reporting: options, clock, counters, logger });
  telemetry.follow(publisher, counters);
  logger.info("reflecting", {
    interface: device,
    port,
    hook: meter.hook,
    mode,
    stateful: options.stateful,
    synchronised: clock.health().synchronised,
  });
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const nearEnd = new NearEnd(taiOffset(clock, options.taiOffset), histogram);
  const reading = Promise.all([userPath.run(meter.requests(ended)), nearEnd.run(meter.observed(ended))]);
  let reportAtNs = clock.monotonicNs();
  const report = () => {
    // The counters travel with it; a reflector has no other results.
    publisher.publish({ case: "delay", value: {} });
    reportAtNs = clock.monotonicNs() + options.reportInterval;
  };
  let isLeftOutKnown = false;
  const warnOfLeftOut = () => {
    if (isLeftOutKnown || meter.addressesLeftOut === 0) return;
    isLeftOutKnown = true;
    logger.warn("too many addresses: requests to the last are not answered", { left_out: meter.addressesLeftOut });
  };
  warnOfLeftOut();
  try {
    while (!ended.aborted) {
      await pause(TICK_MS, ended);
      checkInterface(device, ifindex);
      tlvKeys?.refresh(logger);
      if (keyRing?.refresh(logger)) meter.setKeys(keyRing.states());
      meter.keepAlive();
      warnOfLeftOut();
      if (options.viaStack) stack.listen(meter.ownAddresses);
      if (meter.keepPlace()) logger.warn("another program runs in front of this one and may hide packets");
      if (options.stateful) meter.forgetIdleSessions(options.sessionTimeout);
      if (clock.monotonicNs() >= reportAtNs) report();
      if (options.output) terminal.write(`${outputLine(options.format, clock.nowNs(), nearEnd, counters())}\n`);
    }
  } finally {
    // What comes while the last report is delivered goes to the host: here nobody would read it.
    meter.takeNoMore();
    stop.abort();
    await reading;
    stack[Symbol.dispose]();
    if (histogram) writeFileSync(options.histpath, histogram.line());
    report();
    telemetry.end();
    await publisher.flush({ deadlineMs: FLUSH_MS });
    await publisher.close();
  }
  logger.info("ended", countersText(counters()));
}

/** @throws CommandError for options that contradict each other */
function checkOptions({ viaStack, stateful }: ReflectorOptions): void {
  if (viaStack && stateful) {
    throw new CommandError(
      "--via-stack with --stateful: requests that the host's firewall drops would be numbered, and look lost on the way back; leave one out",
    );
  }
}

function cidrOf(option: string, text: string): Cidr {
  const result = parseCidr(text);
  if (!result.ok) throw new CommandError(`${option} ${text}: ${result.reason}`);
  return result.cidr;
}

function policyOf(
  options: ReflectorOptions,
  keyRing: KeyRing | undefined,
  tlvKeys: KeyRing | undefined,
  isOwnAddress: ReflectorPolicy["isOwnAddress"],
  isReturnAddressAllowed: ReflectorPolicy["isReturnAddressAllowed"],
): ReflectorPolicy {
  return {
    ...CAUTIOUS_POLICY,
    mode: keyRing ? "authenticated" : "unauthenticated",
    key: (ssid) => (keyRing ?? tlvKeys)?.keys.forSsid(ssid),
    isOwnAddress,
    isReturnAddressAllowed,
    isDscpAllowed: (dscp) => dscp === options.answerDscp || options.answerDscp === undefined,
    dscp: options.answerDscp ?? "copy",
    copyEcn: options.copyEcn,
    tellsLocation: !options.hideLocation,
    tellsMac: !options.hideLocation,
  };
}

function reflectorClock(clock: WallClock, options: ReflectorOptions): ReflectorClock {
  const { maxErrorNs, ...health } = clock.health();
  const synchronised = health.synchronised || options.trustClock;
  return {
    transmitNs: clock.nowNs(),
    errorEstimate: estimateError(maxErrorNs, synchronised, options.timestamps),
    taiOffsetS: taiOffset(clock, options.taiOffset),
    syncSource: synchronised ? (options.enforcePtp ? SYNC_SOURCE.ptp : SYNC_SOURCE.ntp) : SYNC_SOURCE.freeRunning,
    receiveMethod: TIMESTAMP_METHOD.swLocal,
    transmitMethod: TIMESTAMP_METHOD.swLocal,
  };
}

function countersText(counters: Readonly<Record<string, bigint>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(counters).flatMap(([name, count]) => (count > 0n ? [[name, String(count)]] : [])),
  );
}

function outputLine(
  format: "text" | "jsonl",
  atNs: bigint,
  nearEnd: NearEnd,
  counters: Readonly<Record<string, bigint>>,
): string {
  const counted = countersText(counters);
  if (format === "jsonl") return JSON.stringify({ at_ns: String(atNs), ...nearEnd.fields(), ...counted });
  return [nearEnd.text(), ...Object.entries(counted).map(([name, count]) => `${name} ${count}`)].join("  ");
}
