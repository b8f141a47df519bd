import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileOutput, streamOutput } from "./output.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pping-output-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fail = (line: string) => {
  throw new Error(line);
};

/** What a process writes whose files can take no more than `octets` meanwhile: a write is cut off there, as on a full disk. */
const ON_A_FULL_DISK = `
import { execFileSync } from "node:child_process";
import { fileOutput } from "${new URL("output.ts", import.meta.url)}";
const [path, format, octets] = process.argv.slice(1);
const limit = (soft) => execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=" + soft + ":"]);
const output = fileOutput(path, format, () => {});
output.write(["11111"]);
limit(octets);
output.write(["2".repeat(100)]);
limit("unlimited");
output.write(["33"]);
output.close();
console.log(output.dropped);
`;

describe("a file", () => {
  test("a JSON array can be read after every write, and when nobody closed it", () => {
    const path = join(folder, "out.json");
    const output = fileOutput(path, "json", fail);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual([]);
    output.write(['{"a":1}', '{"a":2}']);
    expect(readFileSync(path, "utf8")).toBe('[{"a":1},{"a":2}]\n');
    output.write(['{"a":3}']);
    output.write([]);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    output.close();
    expect(readFileSync(path, "utf8")).toBe('[{"a":1},{"a":2},{"a":3}]\n');
  });

  test("a JSON array needs a file of its own; lines are appended", () => {
    const path = join(folder, "out");
    writeFileSync(path, "before\n");
    expect(() => fileOutput(path, "json", fail)).toThrow(/--write .*out.*jsonl/);
    const output = fileOutput(path, "jsonl", fail);
    output.write(["{}", "{}"]);
    output.close();
    expect(readFileSync(path, "utf8")).toBe("before\n{}\n{}\n");
  });

  test.each(["json", "standard"] as const)("opened anew after it was moved away (%s)", (format) => {
    const path = join(folder, "out");
    const output = fileOutput(path, format, fail);
    output.write(["1"]);
    renameSync(path, `${path}.1`);
    output.reopen();
    output.write(["2"]);
    output.close();
    const read = (name: string) => readFileSync(name, "utf8").replaceAll(/[[\]\n]/g, "");
    expect([read(`${path}.1`), read(path)]).toEqual(["1", "2"]);
  });

  test("a JSON file that was not moved away stays open", () => {
    const path = join(folder, "out");
    const output = fileOutput(path, "json", fail);
    expect(() => output.reopen()).toThrow(/is there already/);
    output.write(["1"]);
    expect(readFileSync(path, "utf8")).toBe("[1]\n");
  });

  test("a directory that is not there: one line with the way", () => {
    expect(() => fileOutput(join(folder, "a", "b"), "jsonl", fail)).toThrow(/--write .*ENOENT/);
  });

  test("a full disk is said once and counted, and does not end the measurement", () => {
    const said: string[] = [];
    const output = fileOutput("/dev/full", "standard", (line) => said.push(line));
    output.write(["a", "b"]);
    output.write(["c"]);
    expect([output.dropped, said.length]).toEqual([3, 1]);
    expect(said[0]).toMatch(/ENOSPC/);
  });

  test.each([
    ["json", "[11111,33]\n"],
    ["jsonl", "11111\n33\n"],
  ] as const)("where only a part found room, no part of a record stays (%s)", (format, text) => {
    const path = join(folder, "out");
    const node = [
      "--conditions=source",
      "--import",
      "tsx",
      "--input-type=module",
      "-e",
      ON_A_FULL_DISK,
      path,
      format,
      "20",
    ];
    expect(execFileSync(process.execPath, node, { encoding: "utf8" })).toBe("1\n");
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});

describe("a stream", () => {
  const sink = (writableLength = 0) => {
    const stream = {
      text: "",
      writableLength,
      write(text: string) {
        stream.text += text;
      },
    };
    return stream;
  };

  test("an array is complete once closed", () => {
    const stream = sink();
    const output = streamOutput(stream, "json");
    output.write(["1", "2"]);
    output.write(["3"]);
    output.close();
    output.close();
    expect(stream.text).toBe("[1,2,3]\n");
  });

  test("lines", () => {
    const stream = sink();
    streamOutput(stream, "standard").write(["a", "b"]);
    expect(stream.text).toBe("a\nb\n");
  });

  test("a reader that is too slow loses whole records, and they are counted", () => {
    const stream = sink();
    const output = streamOutput(stream, "json");
    output.write(["1"]);
    stream.writableLength = 1e9;
    output.write(["2", "3"]);
    stream.writableLength = 0;
    output.write(["4"]);
    output.close();
    expect([stream.text, output.dropped]).toEqual(["[1,4]\n", 2]);
  });
});
