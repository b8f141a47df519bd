import { counterNames, type RouterRule, routerScript } from "./router-rule.ts";

const devices = { forward: "right", reverse: "left" };
const script = (...rules: readonly RouterRule[]) => routerScript(rules, devices);

test("rules become one transaction that replaces what was there", () => {
  const text = script(
    { name: "seen", action: "count" },
    { name: "lost", match: { family: 4, protocol: "udp", dscp: 2 }, select: { every: 100, offset: 7 }, action: "drop" },
    { name: "back", direction: "reverse", select: { burst: { length: 5, period: 50 } }, action: "drop" },
  );
  expect(text).toMatch(/^table inet waymark \{ \}\ndelete table inet waymark\ntable inet waymark \{/);
  expect(text).toContain(
    'oifname "right" meta protocol ip ip dscp 2 meta l4proto udp numgen inc mod 100 7 counter name "wm_lost"',
  );
  expect(text).toContain('oifname "left"  numgen inc mod 50 0-4 counter name "wm_back"');
});

test.each<[string, RouterRule, RegExp]>([
  ["a name with a blank", { name: "a b", action: "count" }, /letters, digits/],
  ["an injected name", { name: 'x" drop', action: "count" }, /letters, digits/],
  ["dscp without a family", { name: "a", match: { dscp: 2 }, action: "count" }, /needs the family/],
  [
    "a part that is not below the whole",
    { name: "a", select: { every: 3, offset: 3 }, action: "drop" },
    /offset < every/,
  ],
  [
    "a burst as long as its period",
    { name: "a", select: { burst: { length: 9, period: 9 } }, action: "drop" },
    /period/,
  ],
  ["an impossible DSCP", { name: "a", action: { setDscp: 64 } }, /0–63/],
  ["duplicates both ways", { name: "a", direction: "both", action: "duplicate" }, /one direction/],
  ["a split with the rule's own name", { name: "a", split: { a: {} }, action: "drop" }, /taken/],
])("%s is refused", (_, rule, message) => {
  expect(() => script(rule)).toThrow(message);
});

test("names of rules and of their parts are all the counters", () => {
  expect(counterNames([{ name: "lost", action: "drop", split: { red: {}, blue: [{}, {}] } }])).toEqual([
    "lost",
    "red",
    "blue",
  ]);
  expect(() =>
    counterNames([
      { name: "a", action: "drop" },
      { name: "a", action: "count" },
    ]),
  ).toThrow(/taken/);
});
