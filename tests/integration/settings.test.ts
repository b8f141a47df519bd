import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "./src/images.ts";

const read = (name: string) => readFileSync(`${ROOT}${name}`, "utf8");
const files = readdirSync(`${ROOT}compose`).filter((name) => name.endsWith(".yaml"));

/** NAME → default of every `${NAME:-default}` in the compose files. */
function composeSettings(): Map<string, string> {
  const settings = new Map<string, string>();
  for (const file of files) {
    for (const [, name = "", preset = ""] of read(`compose/${file}`).matchAll(/\$\{(\w+)(?::-([^}]*))?\}/g)) {
      expect({ file, name, preset: settings.get(name) ?? preset }).toEqual({ file, name, preset });
      settings.set(name, preset);
    }
  }
  return settings;
}

function exampleSettings(): Map<string, string> {
  const lines = read(".env.example").split("\n");
  return new Map(lines.filter((line) => /^\w+=/.test(line)).map((line) => line.split(/=(.*)/) as [string, string]));
}

test(".env.example has every setting of the compose files with its default, and no other", () => {
  const example = exampleSettings();
  expect(example.get("COMPOSE_PROFILES")).toBe("agents");
  example.delete("COMPOSE_PROFILES");
  expect(Object.fromEntries(example)).toEqual(Object.fromEntries(composeSettings()));
});

test(".env turns on the profile of the host's agents, and sets nothing else", () => {
  const lines = read(".env").split("\n");
  expect(lines.filter((line) => line !== "" && !line.startsWith("#"))).toEqual(["COMPOSE_PROFILES=agents"]);
});

test("compose.yaml includes every file that has services of its own", () => {
  const included = [...read("compose.yaml").matchAll(/- compose\/(\S+)/g)].map(([, name]) => name);
  const templates = ["agent.yaml", "capabilities.yaml"];
  expect(included.toSorted()).toEqual(files.filter((name) => !templates.includes(name)).toSorted());
});
