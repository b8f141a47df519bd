// Which package may import which. Prints every import that breaks a rule; exit 1 if there is one.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { root, say } from "./lib/run.mjs";
import { filesBelow } from "./lib/stamp.mjs";

const any = () => true;
const none = () => false;
const isNode = (specifier) => specifier.startsWith("node:");
const isOwn = (specifier) => specifier.startsWith("@waymark/");
const own =
  (...names) =>
  (specifier) =>
    !isOwn(specifier) || names.includes(packageOf(specifier));

/** What the sources of a package may import from outside of it. Tests may import everything. */
const allowed = {
  "libs/packet": none,
  "libs/stats": none,
  "libs/bpf-runtime": isNode,
  "libs/agent": own("@waymark/proto"),
  "libs/probe": own("@waymark/agent", "@waymark/bpf-runtime"),
  "libs/testkit": own("@waymark/bpf-runtime", "@waymark/packet", "@waymark/proto"),
  "services/collector": own("@waymark/agent", "@waymark/proto", "@waymark/stats", "@waymark/packet"),
};
const service = own(
  "@waymark/agent",
  "@waymark/bpf-runtime",
  "@waymark/packet",
  "@waymark/probe",
  "@waymark/proto",
  "@waymark/stats",
);

/** `@scope/name` or `name` of an import specifier. */
function packageOf(specifier) {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function ruleOf(folder) {
  if (allowed[folder] !== undefined) return allowed[folder];
  return folder.startsWith("services/") ? service : any;
}

const packages = ["libs", "services"]
  .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
  .filter((folder) => existsSync(join(root, folder, "package.json")));
const manifests = new Map(
  [...packages, "proto"].map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    return [manifest.name, manifest];
  }),
);

const pattern =
  /(?:^|\n)\s*(?:import|export)\s[^"';]*?from\s*"([^"]+)"|(?:^|\n)\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;
const problems = [];
let count = 0;

function check(folder, file, specifier) {
  const isTest = /\.test\.ts$/.test(file) || !/^(src|bpf)\//.test(relative(join(root, folder), file));
  const report = (why) => problems.push(`${relative(root, file)}: imports "${specifier}": ${why}`);
  count++;
  if (specifier.startsWith(".")) {
    const target = resolve(dirname(file), specifier);
    if (!target.startsWith(`${join(root, folder)}/`)) report(`leaves ${folder}; import the package by its name`);
    return;
  }
  if (builtinModules.includes(specifier)) return report(`write "node:${specifier}"`);
  const name = packageOf(specifier);
  const manifest = manifests.get(name);
  if (isOwn(specifier)) {
    const path = specifier === name ? "." : `.${specifier.slice(name.length)}`;
    if (manifest === undefined) return report("there is no such package");
    if (!Object.hasOwn(manifest.exports ?? {}, path)) return report(`${name} does not export "${path}"`);
  }
  if (isTest) return;
  const ownManifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  if (name === ownManifest.name) return report("a package does not import itself");
  if (!ruleOf(folder)(specifier)) return report(`${folder} may not`);
  if (!isNode(specifier) && ownManifest.dependencies?.[name] === undefined)
    report(`not in the dependencies of ${folder}`);
}

for (const folder of packages) {
  for (const file of filesBelow([folder], /\.ts$/)) {
    const text = readFileSync(file, "utf8");
    for (const [, from, bare, dynamic] of text.matchAll(pattern)) check(folder, file, from ?? bare ?? dynamic);
  }
}
if (problems.length > 0) {
  say(problems.join("\n"));
  process.exit(1);
}
say(`${count} imports keep the rules`);
