import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const index = join(import.meta.dirname, "index.ts");

/** Runs `body` as the main function of a process of its own. */
function start(body: string) {
  const source = `
    import { CommandError, UnsupportedError, runMain } from ${JSON.stringify(index)};
    const idle = () => new Promise(() => setInterval(() => {}, 1000));
    await runMain("probe", async ({ signal }) => { ${body} });`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const argv = ["--conditions=source", "--import", "tsx", "--input-type=module", "--eval", source];
  const child = spawn(process.execPath, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, out, err }));
  return { child, ended };
}

test.each([
  ["", 0, ""],
  ["return 1;", 1, ""],
  ['throw new CommandError("--x: wrong");', 2, "probe: --x: wrong\n"],
  ['throw new UnsupportedError("no TCX here");', 3, "probe: no TCX here\n"],
  ['throw Object.assign(new Error("mount: not permitted"), { code: "EPERM" });', 3, "probe: mount: not permitted\n"],
  ['throw Object.assign(new Error("of another package"), { exitCode: 3 });', 3, "probe: of another package\n"],
  ['throw new Error("two\\n  lines");', 1, "probe: two lines\n"],
  ['throw "text";', 1, "probe: text\n"],
])("%s ends with %i", async (body, code, err) => {
  expect(await start(body).ended).toEqual({ code, signal: null, out: "", err });
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "the first %s aborts, and the main function ends in its own time",
  async (name) => {
    const { child, ended } = start(`
    const stopped = new Promise((resolve) => signal.addEventListener("abort", resolve));
    const keep = setInterval(() => {}, 1000);
    console.log("ready");
    await stopped;
    clearInterval(keep);
    console.log(signal.reason.message);`);
    await once(child.stdout, "data");
    child.kill(name);
    expect(await ended).toEqual({ code: 0, signal: null, out: `ready\nstopped by ${name}\n`, err: "" });
  },
);

test("the second signal ends the process at once", async () => {
  const { child, ended } = start(
    'signal.addEventListener("abort", () => console.log("stopping")); console.log("ready"); await idle();',
  );
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ code: null, signal: "SIGINT" });
});

test("a reader that goes away stops the process without a word", async () => {
  const { child, ended } = start(`
    const talk = setInterval(() => console.log("x".repeat(1000)), 1);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    clearInterval(talk);`);
  await once(child.stdout, "data");
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 0, signal: null, err: "" });
});
