import { AccessReporting } from "./access-report.ts";

const SECOND = 1_000_000_000n;

/** At which seconds of a session with a packet a second the report is carried. */
function carried(reporting: AccessReporting, seconds: number, answeredAt = Number.POSITIVE_INFINITY): number[] {
  return Array.from({ length: seconds }, (_, second) => second).filter((second) => {
    if (second === answeredAt) reporting.answered();
    return reporting.carry(BigInt(second) * SECOND);
  });
}

test("it is sent at once and, unanswered, four times more, three seconds apart; then given up", () => {
  const reporting = new AccessReporting();
  expect(carried(reporting, 30)).toEqual([0, 3, 6, 9, 12]);
  expect(reporting.state(14n * SECOND)).toBe("waiting");
  expect(reporting.state(15n * SECOND)).toBe("given-up");
});

test("an answer ends it", () => {
  const reporting = new AccessReporting();
  expect(carried(reporting, 30, 5)).toEqual([0, 3]);
  expect(reporting.state(99n * SECOND)).toBe("answered");
});

test("timeout and retries are the caller's", () => {
  expect(carried(new AccessReporting({ timeoutNs: SECOND, retries: 1 }), 30)).toEqual([0, 1]);
  expect(carried(new AccessReporting({ timeoutNs: SECOND, retries: 0 }), 30)).toEqual([0]);
});
