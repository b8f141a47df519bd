/**
 * Waymark's own TC programs that let every packet go on (TC_ACT_UNSPEC): several of them may share a hook in any order,
 * and none insists on the place of another. A program that takes packets away (a STAMP reflector's) does not belong here:
 * the others stay in front of it. Names have at most 15 characters, which is what the kernel keeps.
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
]);
