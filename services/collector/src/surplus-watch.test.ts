import { create } from "@bufbuild/protobuf";
import type { LogFields, Logger } from "@waymark/agent";
import { LossVerdict } from "@waymark/proto/query";
import { ReportSchema } from "@waymark/proto/report";
import { SurplusWatch } from "./surplus-watch.ts";
import type { LossRow } from "./verdict.ts";

let warnings: LogFields[];
let watch: SurplusWatch;

beforeEach(() => {
  warnings = [];
  const warn: Logger["warn"] = (_event, fields = {}) => void warnings.push(fields);
  watch = new SurplusWatch({ debug() {}, info() {}, warn, error() {} });
  const blocks = [{ path: "p", topDestinations: ["10.0.0.2", "192.0.2.9"] }];
  watch.heard(create(ReportSchema, { payload: { case: "loss", value: { blocks } } }));
});

function tell(ratios: readonly number[], more: Partial<LossRow> = {}): void {
  const row = { path: "p", flow: "default", verdict: LossVerdict.COMPLETE, ...more };
  for (const lossRatio of ratios) watch.listener([{ row: { ...row, lossRatio } as LossRow, again: false }]);
}

test("six whole blocks that lost about the same: one warning with the destinations", () => {
  tell([0.2, 0.21, 0.2, 0.19, 0.2]);
  expect(warnings).toEqual([]);
  tell([0.2, 0.2, 0.2]);
  expect(warnings).toMatchObject([{ path: "p", percent: 20, top_destinations: ["10.0.0.2", "192.0.2.9"] }]);
});

test.each([
  ["bursts", [0.2, 0.02, 0.3, 0.01, 0.2, 0.05, 0.4], {}],
  ["a block without loss between", [0.2, 0.2, 0.2, 0, 0.2, 0.2, 0.2, 0.2], {}],
  ["little loss", Array(9).fill(0.001), {}],
  ["a flow of --flow", Array(9).fill(0.2), { flow: "web" }],
  ["blocks that are not COMPLETE", Array(9).fill(0.2), { verdict: LossVerdict.INVALID }],
])("no warning: %s", (_name, ratios, more) => {
  tell(ratios, more);
  expect(warnings).toEqual([]);
});
