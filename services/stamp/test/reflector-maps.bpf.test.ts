import { describePrivileged } from "@waymark/testkit";
import { hmacState } from "../src/codec/hmac-state.ts";
import { MAX_OWN, setKeys, setOwnAddresses } from "../src/reflector-programs.ts";
import { KEY, ReflectorRig } from "./reflector-rig.ts";

describePrivileged("what the reflector's programs are told", () => {
  test("keys are replaced by as many others, more than there is room for at once", () => {
    using rig = new ReflectorRig({ authenticated: true });
    const state = hmacState(KEY);
    const from = (first: number) => new Map(Array.from({ length: 600 }, (_, i) => [first + i, state]));
    setKeys(rig.object, from(0));
    setKeys(rig.object, from(1000));
    const ssids = [...rig.object.map("keys").keys()].sort((a, b) => a - b);
    expect([ssids.length, ssids[0], ssids.at(-1)]).toEqual([600, 1000, 1599]);
  });

  test("of too many addresses the first are answered for, and it says how many are not", () => {
    using rig = new ReflectorRig();
    const from = (third: number) =>
      Array.from({ length: MAX_OWN + 44 }, (_, i) => `10.0.${third + (i >> 8)}.${i & 0xff}`);
    expect(setOwnAddresses(rig.object, from(0))).toBe(44);
    expect(setOwnAddresses(rig.object, from(2))).toBe(44);
    expect([...rig.object.map("own_addresses").keys()]).toHaveLength(MAX_OWN);
    expect(setOwnAddresses(rig.object, from(0).slice(0, 3))).toBe(0);
    expect([...rig.object.map("own_addresses").keys()]).toHaveLength(3);
  });
});
