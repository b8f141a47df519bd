import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { BPF_ERROR_CODES, BpfError, check, errnoName, systemError, VerifierError } from "./errors.ts";

const { EEXIST, ENODEV, EPERM, ENOENT } = constants.errno;

describe("errors", () => {
  test("the README lists every code, and no other", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const listed = [...readme.matchAll(/^\| `(BPF_[A-Z_]+)` \|/gm)].map((match) => match[1]);
    expect(listed.toSorted()).toEqual(Object.keys(BPF_ERROR_CODES).toSorted());
  });

  test("a status that is no failure is answered", () => {
    expect(check(0, "map get", "x")).toBe(0);
    expect(check(7, "map get", "x")).toBe(7);
  });

  test("the message says what was done to what, and why not", () => {
    expect(() => check(-ENODEV, "attach tcx", "count")).toThrow(
      "attach tcx count: no such interface in this network namespace (ENODEV)",
    );
    expect(systemError(-EPERM, "load", "x").code).toBe("BPF_NOT_PERMITTED");
  });

  test("the same errno means something else for a map", () => {
    expect(systemError(-EEXIST, "map set", "flows").code).toBe("BPF_KEY_EXISTS");
    expect(systemError(-EEXIST, "attach clsact", "flows").code).toBe("BPF_SYSTEM");
    expect(systemError(-ENOENT, "map set", "flows").code).toBe("BPF_NO_KEY");
  });

  test("is known by its brand, so that copies of the module agree", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("waymark.BpfError")]: true, code: "BPF_VERIFIER" });
    expect(foreign).toBeInstanceOf(BpfError);
    expect(foreign).toBeInstanceOf(VerifierError);
    expect(new BpfError("BPF_BUSY", "x", { operation: "y" })).not.toBeInstanceOf(VerifierError);
    expect(new Error("x")).not.toBeInstanceOf(BpfError);
    expect(null).not.toBeInstanceOf(BpfError);
  });

  test("unknown numbers stay readable", () => {
    expect(errnoName(524)).toBe("ENOTSUPP");
    expect(errnoName(99_999)).toBe("errno 99999");
  });
});
