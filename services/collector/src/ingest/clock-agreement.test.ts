import { create } from "@bufbuild/protobuf";
import { silentLogger } from "@waymark/agent";
import { ReportSchema } from "@waymark/proto/report";
import { ClockAgreement } from "./clock-agreement.ts";
import { ClockDoubt } from "./refusal.ts";

const DAY = 86_400_000_000_000n;
const NOW = 1_800_000_000_000_000_000n;
const report = (offsetNs: bigint, synchronised = true) =>
  create(ReportSchema, { agent: { id: "far" }, sentAtNs: NOW + offsetNs, clock: { synchronised } });

function agreement() {
  let ms = 0;
  const clocks = new ClockAgreement(silentLogger, () => ms);
  const pass = (by: number) => {
    ms += by;
  };
  return { clocks, pass };
}

test("a synchronised clock far ahead is neither believed nor refused while no other clock agrees with ours", () => {
  const { clocks } = agreement();
  expect(() => clocks.check(report(2n * DAY), NOW)).toThrow(ClockDoubt);
  expect(() => clocks.check(report(2n * DAY, false), NOW)).not.toThrow();
  expect(() => clocks.check(report(DAY), NOW)).not.toThrow();
});

test("it is left to be refused once another synchronised clock agrees, for ten minutes", () => {
  const { clocks, pass } = agreement();
  clocks.note(report(0n, false), NOW);
  clocks.note(report(-2n * DAY), NOW);
  expect(() => clocks.check(report(2n * DAY), NOW)).toThrow(ClockDoubt);
  clocks.note(report(-DAY / 2n), NOW);
  pass(599_999);
  expect(() => clocks.check(report(2n * DAY), NOW)).not.toThrow();
  pass(1);
  expect(() => clocks.check(report(2n * DAY), NOW)).toThrow(ClockDoubt);
});
