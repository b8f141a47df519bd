import { create } from "@bufbuild/protobuf";
import { type Path, PathSchema, PathState } from "@waymark/proto/query";
import type { PathRow } from "../store/path-query.ts";
import { durationOf, timestampOf } from "./messages.ts";

/** A path as the API answers it. */
export function pathMessage(row: PathRow): Path {
  return create(PathSchema, {
    path: row.path,
    points: row.points.map((point) => ({
      agent: point.agent,
      role: point.role,
      interface: point.interface,
      interval: durationOf(point.intervalNs),
      lastSeen: timestampOf(point.lastSeenNs),
    })),
    flows: [...row.flows],
    confirmed: row.confirmed,
    state: stateOf(row),
  });
}

function stateOf({ points }: PathRow): PathState {
  const source = points.some(({ role, live }) => live && role === "source");
  const sink = points.some(({ role, live }) => live && role === "sink");
  if (source && sink) return PathState.MEASURED;
  if (sink) return PathState.WITHOUT_SOURCE;
  return source ? PathState.WITHOUT_SINK : PathState.SILENT;
}
