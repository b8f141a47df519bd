import type { SqlRow, Store } from "../store/store.ts";
import { BootLog } from "./boot-log.ts";
import { kindTables } from "./kinds.ts";
import { bootName, type ReportKey } from "./report-key.ts";
import { type SequenceRange, SequenceSet } from "./sequence-set.ts";

/** Boots that one query reads back. */
const MAX_BOOTS_A_QUERY = 500;
const OFFSETS_READ = 16;

interface Waiting {
  readonly bootId: string;
  readonly name: string;
  readonly resolve: (log: BootLog) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads back from the store which reports of a boot it has. Boots that are asked for while a query runs are read
 * together by the next one.
 */
export class BootReader {
  readonly #store: Store;
  readonly #waiting: Waiting[] = [];
  #reading = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What is stored of this boot; an empty log for a new one. */
  read(key: Omit<ReportKey, "kind" | "sequence">): Promise<BootLog> {
    const { promise, resolve, reject } = Promise.withResolvers<BootLog>();
    this.#waiting.push({ bootId: key.bootId, name: bootName(key), resolve, reject });
    void this.#readWaiting();
    return promise;
  }

  /** Whether one report is stored, for what a SequenceSet has forgotten. */
  async has(key: ReportKey): Promise<boolean> {
    const table = kindTables.find(({ kind }) => kind === key.kind)?.table ?? "loss_record";
    const rows = await this.#store.query(
      `SELECT 1 AS found FROM ${table} WHERE boot_id = {boot:String} AND sequence = {sequence:UInt64}
        AND agent = {agent:String} AND service = {service:String} AND role = {role:String}
        AND interface = {interface:String} LIMIT 1`,
      {
        boot: key.bootId,
        sequence: key.sequence,
        agent: key.agent,
        service: key.service,
        role: key.role,
        interface: key.interface,
      },
    );
    return rows.length > 0;
  }

  async #readWaiting(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BOOTS_A_QUERY);
      try {
        const logs = await readBoots(this.#store, [...new Set(batch.map(({ bootId }) => bootId))]);
        for (const { name, resolve } of batch) {
          const log = logs.get(name) ?? new BootLog();
          logs.set(name, log);
          resolve(log);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#reading = false;
  }
}

async function readBoots(store: Store, boots: readonly string[]): Promise<Map<string, BootLog>> {
  const stored = new Map<string, Map<string, SequenceSet>>();
  const offsets = new Map<string, (readonly [arrivedNs: bigint, offsetNs: bigint])[]>();
  const tables = await tablesWith(store, boots);
  for (const { kind, table } of kindTables) {
    if (!tables.has(table)) continue;
    for (const row of await store.query(storedReports(table), { boots })) {
      const name = bootName(keyOf(row));
      const kinds = stored.get(name) ?? new Map<string, SequenceSet>();
      kinds.set(kind, new SequenceSet((row["ranges"] as unknown[]).map(rangeOf)));
      stored.set(name, kinds);
      const samples = (row["latest"] as [string, string][]).map(([at, ns]) => [BigInt(at), BigInt(ns)] as const);
      offsets.set(name, [...(offsets.get(name) ?? []), ...samples]);
    }
  }
  const logs = new Map<string, BootLog>();
  for (const [name, kinds] of stored) {
    const samples = (offsets.get(name) ?? []).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, offset]) => offset);
    logs.set(name, new BootLog(kinds, samples));
  }
  return logs;
}

// Cheap for the usual case of a boot that has just begun: answered from the projections.
async function tablesWith(store: Store, boots: readonly string[]): Promise<ReadonlySet<string>> {
  const sql = kindTables.map(
    ({ table }) =>
      `SELECT '${table}' AS name, boot_id FROM ${table} WHERE boot_id IN {boots:Array(String)} GROUP BY boot_id LIMIT 1`,
  );
  return new Set((await store.query(sql.join(" UNION ALL "), { boots })).map((row) => String(row["name"])));
}

function storedReports(table: string): string {
  const boot = "agent, service, role, interface, boot_id";
  // The sequences minus their rank are the same within a run without gaps.
  return `SELECT ${boot}, arraySort(groupArray((first, last))) AS ranges,
      arraySlice(arraySort(arrayFlatten(groupArray(latest_of_range))), -${OFFSETS_READ}) AS latest
    FROM (
      SELECT ${boot}, min(sequence) AS first, max(sequence) AS last,
        arraySlice(arraySort(groupArray((at_ns, offset_ns))), -${OFFSETS_READ}) AS latest_of_range
      FROM (
        SELECT ${boot}, sequence, any(arrived_ns) AS at_ns,
          toInt64(any(arrived_ns)) - toInt64(any(sent_ns)) AS offset_ns,
          sequence - row_number() OVER (PARTITION BY ${boot} ORDER BY sequence) AS run
        FROM ${table} WHERE leading AND boot_id IN {boots:Array(String)}
        GROUP BY ${boot}, sequence
      )
      GROUP BY ${boot}, run
    )
    GROUP BY ${boot}`;
}

function keyOf(row: SqlRow): Omit<ReportKey, "kind" | "sequence"> {
  const text = (name: string) => String(row[name]);
  return {
    agent: text("agent"),
    service: text("service"),
    role: text("role"),
    interface: text("interface"),
    bootId: text("boot_id"),
  };
}

function rangeOf(value: unknown): SequenceRange {
  const [first, last] = value as [string, string];
  return [Number(first), Number(last)];
}
