import { readdirSync, readFileSync } from "node:fs";

/** Ticks a second of the times in /proc (USER_HZ: 100 wherever Linux runs). */
const TICKS_PER_SECOND = 100;

/** Memory of a process in MiB: resident now (VmRSS), at its highest (VmHWM), and resident without file pages (RssAnon). */
export function memoryMib(pid: number): { readonly now: number; readonly highest: number; readonly own: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const mib = (name: string) => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
    if (kib === undefined) throw new Error(`/proc/${pid}/status: no ${name}`);
    return Number(kib) / 1024;
  };
  return { now: mib("VmRSS"), highest: mib("VmHWM"), own: mib("RssAnon") };
}

/** Seconds of processor time that a process has used, its own and the kernel's for it, all threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Mean nanoseconds of a run of the BPF program that has run most often among those that a process holds; only runs under
 * kernel.bpf_stats_enabled count. @throws {Error} none has run
 */
export function programCost(pid: number): number {
  const programs = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => {
    const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { ns: field("run_time_ns"), runs: field("run_cnt") };
  });
  const busiest = programs.reduce((most, program) => (program.runs > most.runs ? program : most), { ns: 0, runs: 0 });
  if (busiest.runs === 0) throw new Error(`process ${pid}: none of its BPF programs has run`);
  return busiest.ns / busiest.runs;
}
