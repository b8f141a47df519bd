/**
 * Waymark's own TC programs that let every packet of others go on (TC_ACT_UNSPEC): several of them may share a hook in any order,
 * and none insists on the place of another. Those that take packets away are others: these
 * stay in front of them. Names have at most 15 characters, which is what the kernel keeps.
 */
export const HARMLESS_PROGRAMS: ReadonlySet<string> = new Set([
  "altmark_source",
  "altmark_sink",
  "tcflows_ingress",
  "tcflows_egress",
  "pping_ingress",
  "pping_egress",
  "flowmon_ingress",
  "flowmon_egress",
  "stamp_send",
  "stamp_answer",
]);

/** Waymark's own TC programs that take packets away: test packets and their answers, once they were measured. */
export const TAKING_PROGRAMS: ReadonlySet<string> = new Set(["stamp_reflect", "stamp_collect"]);
