import { readFileSync } from "node:fs";
import fc from "fast-check";
import { agentIdOf, bootId, hostIdentity, isIdentifier, newBootId } from "./identity.ts";

test("the agent id is the short host name with other characters replaced", () => {
  expect(agentIdOf("gw-1.example.net")).toBe("gw-1");
  expect(agentIdOf("straße")).toBe("stra_e");
  expect(agentIdOf("")).toBe("_");
});

test("any host name gives a valid agent id", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (name) => isIdentifier(agentIdOf(name))));
});

test("boot ids are valid; one for the process, or a new one for each identity", () => {
  expect(isIdentifier(bootId())).toBe(true);
  expect(bootId()).toBe(bootId());
  expect(newBootId()).not.toBe(newBootId());
});

test("the kernel's boot id is the kernel's", () => {
  expect(hostIdentity().kernelBootId).toBe(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
});
