import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "nats";
import type { ReportKind } from "./kinds.ts";

/** The durable pull consumer's name, the same in every stream. */
export const CONSUMER_NAME = "collector";

const DAY_MS = 86_400_000;
const DUPLICATE_WINDOW_MS = 600_000;
const MAX_BYTES = 1 << 30;
const MAX_UNACKNOWLEDGED = 1000;
const ACK_WAIT_MS = 30_000;
const NOT_FOUND = 404;

/** WAYMARK_LOSS and the like. */
export function streamName(kind: ReportKind): string {
  return `WAYMARK_${kind.toUpperCase()}`;
}

/**
 * Makes the kind's stream and its consumer when they are missing; what an operator has made otherwise is left alone.
 *
 * @throws NatsError when the server has no JetStream or no room for it
 */
export async function ensureStream(manager: JetStreamManager, kind: ReportKind): Promise<void> {
  const name = streamName(kind);
  const stream: Partial<StreamConfig> = {
    name,
    subjects: [`waymark.v1.${kind}.*.*`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // New, not old: a full stream is an error that the agent sees, and then it spools.
    discard: DiscardPolicy.New,
    max_age: nanos(DAY_MS),
    max_bytes: MAX_BYTES,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  };
  if (!(await exists(manager.streams.info(name)))) await manager.streams.add(stream);
  const consumer: Partial<ConsumerConfig> = {
    durable_name: CONSUMER_NAME,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: MAX_UNACKNOWLEDGED,
  };
  if (!(await exists(manager.consumers.info(name, CONSUMER_NAME)))) await manager.consumers.add(name, consumer);
}

async function exists(info: Promise<unknown>): Promise<boolean> {
  try {
    await info;
    return true;
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.code === NOT_FOUND) return false;
    throw error;
  }
}
