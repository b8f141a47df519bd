import { announcedName, announceProgram } from "./announced-programs.ts";

/** Beyond what kernels give in a lifetime. */
const ID = 2_000_000_000 + process.pid;

test("a program is known by its id from its announcement until its end", () => {
  expect(announcedName(ID)).toBeUndefined();
  const first = announceProgram(ID, "altmark_source");
  using _other = announceProgram(ID + 1, "pping_egress");
  expect([announcedName(ID), announcedName(ID + 1)]).toEqual(["altmark_source", "pping_egress"]);
  // an id that begins another one
  expect(announcedName(Math.floor(ID / 10))).toBeUndefined();
  first[Symbol.dispose]();
  expect(announcedName(ID)).toBeUndefined();
});

test("announced twice is no error", () => {
  using _first = announceProgram(ID + 2, "tcflows_ingress");
  using _second = announceProgram(ID + 2, "tcflows_ingress");
  expect(announcedName(ID + 2)).toBe("tcflows_ingress");
});
