import { DELAY_TABLE } from "./delay-table.ts";
import { FLOW_TABLE } from "./flow-table.ts";
import type { KindTable } from "./kind-table.ts";
import { RTT_TABLE } from "./rtt-table.ts";
import { THROUGHPUT_TABLE } from "./throughput-table.ts";

/** The tables of the kinds of reports, but for those of altmark: `loss_record` and `presence`. */
export const KIND_TABLES: readonly KindTable[] = [FLOW_TABLE, RTT_TABLE, DELAY_TABLE, THROUGHPUT_TABLE];
