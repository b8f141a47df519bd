import type { Report } from "@waymark/proto/report";
import { DELAY_TABLE } from "../store/delay-table.ts";
import { FLOW_TABLE } from "../store/flow-table.ts";
import { insertColumns, type KindTable } from "../store/kind-table.ts";
import { RTT_TABLE } from "../store/rtt-table.ts";
import { LOSS_RECORD_COLUMNS, PRESENCE_COLUMNS } from "../store/schema.ts";
import { THROUGHPUT_TABLE } from "../store/throughput-table.ts";
import { delayRows } from "./rows-delay.ts";
import { flowRows } from "./rows-flow.ts";
import { lossRows } from "./rows-loss.ts";
import { presenceRows } from "./rows-presence.ts";
import { rttRows } from "./rows-rtt.ts";
import { throughputRows } from "./rows-throughput.ts";
import { TOUCHES_NOTHING, type Touched, touchedByLoss, touchedByPresence } from "./touched.ts";
import { validateDelay } from "./validate-delay.ts";
import { validateFlows } from "./validate-flows.ts";
import { validateLoss } from "./validate-loss.ts";
import { validatePresence } from "./validate-presence.ts";
import { validateRtt } from "./validate-rtt.ts";
import { validateThroughput } from "./validate-throughput.ts";

type Payload = Exclude<Report["payload"], { case: undefined }>;

/** A kind of reports: the field name of its payload. Each has its stream. */
export type ReportKind = Payload["case"];

type Values = { readonly [K in ReportKind]: Extract<Payload, { case: K }>["value"] };

/** A payload of one of the kinds. */
export type KindPayload<K extends ReportKind = ReportKind> = {
  [P in K]: { readonly case: P; readonly value: Values[P] };
}[K];

/** All that the ingest knows of one kind. */
interface Kind<T> {
  /** Roles of the agents that report it. */
  readonly roles: readonly string[];
  readonly table: string;
  readonly columns: readonly string[];
  /** @throws Refusal with the first thing that cannot be true */
  validate(value: T, nowNs: bigint): void;
  /** What follows the header in each row; at least one row. */
  rows(value: T): readonly string[];
  /** What has been told of losses and changes now. */
  touched?(value: T): Touched;
}

const ENDS = ["source", "sink"];
const OBSERVER = ["observer"];

const kinds: { readonly [K in ReportKind]: Kind<Values[K]> } = {
  loss: {
    roles: ENDS,
    table: "loss_record",
    columns: LOSS_RECORD_COLUMNS,
    validate: validateLoss,
    rows: lossRows,
    touched: touchedByLoss,
  },
  presence: {
    roles: ENDS,
    table: "presence",
    columns: PRESENCE_COLUMNS,
    validate: validatePresence,
    rows: presenceRows,
    touched: touchedByPresence,
  },
  flows: { roles: OBSERVER, ...columnsOf(FLOW_TABLE), validate: validateFlows, rows: flowRows },
  rtt: { roles: OBSERVER, ...columnsOf(RTT_TABLE), validate: validateRtt, rows: rttRows },
  delay: {
    roles: ["sender", "reflector"],
    ...columnsOf(DELAY_TABLE),
    validate: validateDelay,
    rows: delayRows,
  },
  throughput: {
    roles: OBSERVER,
    ...columnsOf(THROUGHPUT_TABLE),
    validate: validateThroughput,
    rows: throughputRows,
  },
};

function columnsOf(table: KindTable): { readonly table: string; readonly columns: readonly string[] } {
  return { table: table.name, columns: insertColumns(table) };
}

/** Kinds of reports that the collector takes. */
export const reportKinds = Object.keys(kinds) as readonly ReportKind[];

/** The table of every kind. */
export const kindTables: readonly { readonly kind: ReportKind; readonly table: string }[] = reportKinds.map((kind) => ({
  kind,
  table: kinds[kind].table,
}));

/** One payload, with what is known of its kind. */
export interface KnownPayload {
  readonly roles: readonly string[];
  readonly table: string;
  readonly columns: readonly string[];
  /** @throws Refusal with the first thing that cannot be true */
  validate(nowNs: bigint): void;
  /** What follows the header in each row; at least one row. */
  rows(): readonly string[];
  touched(): Touched;
}

/** A report's payload; undefined when it is of no kind that is known. */
export function knownPayload({ payload }: Report): KnownPayload | undefined {
  return payload.case === undefined ? undefined : know(payload);
}

function know<K extends ReportKind>(payload: KindPayload<K>): KnownPayload {
  const kind: Kind<Values[K]> = kinds[payload.case];
  const { value } = payload;
  return {
    roles: kind.roles,
    table: kind.table,
    columns: kind.columns,
    validate: (nowNs) => kind.validate(value, nowNs),
    rows: () => kind.rows(value),
    touched: () => kind.touched?.(value) ?? TOUCHES_NOTHING,
  };
}
