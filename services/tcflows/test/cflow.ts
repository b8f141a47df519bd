import { exec } from "@waymark/testkit";

/** Fields of one data record, as tshark names them. */
export type DecodedFlow = Readonly<Record<string, string>>;

/** What tshark makes of IPFIX messages in a capture. */
export interface Decoded {
  readonly flows: readonly DecodedFlow[];
  /** Template ids, in the order in which they were told. */
  readonly templates: readonly string[];
  /** Sequence number and count of data records of every message. */
  readonly messages: readonly (readonly [sequence: number, records: number])[];
}

type Tree = { readonly [name: string]: string | Tree | readonly (string | Tree)[] };

/** Decodes the messages of a capture that go to a port. @throws {Error} tshark finds something malformed */
export async function decodeIpfix(path: string, transport: "udp" | "tcp", port: number): Promise<Decoded> {
  const argv = ["tshark", "-r", path, "-n", "-d", `${transport}.port==${port},cflow`, "-Y", "cflow"];
  const { stdout } = await exec([...argv, "-T", "json", "-J", "cflow", "--no-duplicate-keys"]);
  const packets = JSON.parse(stdout) as readonly { readonly _source: { readonly layers: Tree } }[];
  const decoded = { flows: [] as DecodedFlow[], templates: [] as string[], messages: [] as [number, number][] };
  for (const { _source } of packets) {
    if (JSON.stringify(_source).includes("_ws.malformed")) throw new Error(`${path}: tshark finds a malformed message`);
    for (const message of [_source.layers["cflow"]].flat()) if (isTree(message)) addMessage(decoded, message);
  }
  return decoded;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function addMessage(
  { flows, templates, messages }: { flows: DecodedFlow[]; templates: string[]; messages: [number, number][] },
  message: Tree,
): void {
  const before = flows.length;
  for (const [name, set] of Object.entries(message)) {
    if (!name.startsWith("Set ") || !isTree(set)) continue;
    for (const [part, tree] of Object.entries(set)) {
      if (part.startsWith("Flow ") && isTree(tree)) flows.push(flat(tree));
      if (part.startsWith("Template ") && isTree(tree)) templates.push(String(tree["cflow.template_id"]));
    }
  }
  messages.push([Number(message["cflow.sequence"]), flows.length - before]);
}

/** All fields, those of subtrees too. */
function flat(tree: Tree): DecodedFlow {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([name, value]) =>
      isTree(value) ? Object.entries(flat(value)) : [[name, String(value)]],
    ),
  );
}
