import { create } from "@bufbuild/protobuf";
import { type Agent, AgentSchema, ClockSchema } from "@waymark/proto/query";
import type { AgentRow } from "../store/agent-query.ts";
import { durationOf, timestampOf } from "./messages.ts";

/** An agent as the API answers it. */
export function agentMessage(row: AgentRow): Agent {
  const flags: string[] = [];
  if (row.duplicate) flags.push("duplicate agent");
  if (row.left) flags.push("left");
  if (!row.synchronised && !row.trusted) flags.push("clock not synchronised");
  if (row.lostReports > 0n) flags.push("reports lost");
  return create(AgentSchema, {
    agent: row.agent,
    service: row.service,
    role: row.role,
    interface: row.interface,
    host: row.host,
    version: row.version,
    bootId: row.bootId,
    kernelBootId: row.kernelBootId,
    firstSeen: timestampOf(row.firstSeenNs),
    lastSeen: timestampOf(row.lastSeenNs),
    clock: create(ClockSchema, {
      synchronised: row.synchronised,
      trusted: row.trusted,
      maxError: durationOf(row.maxErrorNs),
      estimatedError: durationOf(row.estimatedErrorNs),
      offset: durationOf(row.clockOffsetNs),
      taiOffsetS: row.taiOffsetS,
    }),
    counters: row.counters,
    lostReports: row.lostReports,
    flags,
  });
}
