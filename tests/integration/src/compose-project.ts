import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecResult, exec, ManagedProcess } from "@waymark/testkit";
import { ROOT } from "./images.ts";

const DEADLINE_MS = 120_000;

/** A fresh clone of the last commit, and what `docker compose` made of it, under a project name of its own. */
export class ComposeProject implements AsyncDisposable {
  readonly folder: string;
  readonly name: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #attached: ManagedProcess[] = [];

  private constructor(folder: string, environment: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.name = `waymark-test-${randomBytes(3).toString("hex")}`;
    this.#environment = { ...environment, COMPOSE_PROJECT_NAME: this.name };
  }

  /** @param environment the settings of `.env.example` */
  static async clone(environment: Readonly<Record<string, string>> = {}): Promise<ComposeProject> {
    const folder = await mkdtemp(join(tmpdir(), "waymark-clone-"));
    // as a clone has it; the repository may belong to somebody else, from whom git would not clone
    const script = 'git -c safe.directory="*" archive HEAD | tar -x -C "$1"';
    await exec(["bash", "-o", "pipefail", "-c", script, "bash", folder], { cwd: ROOT });
    return new ComposeProject(folder, environment);
  }

  /** Runs `docker compose …` to its end. @throws {CommandError} */
  compose(words: readonly string[], deadlineMs = DEADLINE_MS): Promise<ExecResult> {
    const argv = ["docker", "compose", "--ansi", "never", ...words];
    return exec(argv, { cwd: this.folder, env: this.#environment, deadlineMs });
  }

  /** Starts `docker compose …` as a user does at a terminal. */
  attach(words: readonly string[]): ManagedProcess {
    const argv = ["docker", "compose", "--ansi", "never", ...words];
    const child = new ManagedProcess(argv, { cwd: this.folder, env: this.#environment });
    this.#attached.push(child);
    return child;
  }

  /** Names of the services that run. */
  async running(): Promise<string[]> {
    const { stdout } = await this.compose(["--profile", "*", "ps", "--services", "--status", "running"]);
    return stdout.split("\n").filter((name) => name !== "");
  }

  /** Names of the services that have a container, running or not, sorted. */
  async created(): Promise<string[]> {
    const { stdout } = await this.compose(["--profile", "*", "ps", "--all", "--services"]);
    return stdout
      .split("\n")
      .filter((name) => name !== "")
      .toSorted();
  }

  /** What health checks say, by service; "" where there is none. */
  async health(): Promise<Record<string, string>> {
    const { stdout } = await this.compose(["--profile", "*", "ps", "--format", "{{.Service}} {{.Health}}"]);
    const lines = stdout.split("\n").filter((line) => line !== "");
    return Object.fromEntries(lines.map((line) => line.split(" ") as [string, string]));
  }

  /** Everything that is left of the project: containers, volumes, networks. */
  async remains(): Promise<string[]> {
    const filter = ["--filter", `label=com.docker.compose.project=${this.name}`, "--quiet"];
    const lists = await Promise.all(
      [
        ["ps", "--all"],
        ["volume", "ls"],
        ["network", "ls"],
      ].map((words) => exec(["docker", ...words, ...filter])),
    );
    return lists.flatMap(({ stdout }) => stdout.split("\n").filter((line) => line !== ""));
  }

  /** Takes the project away, with its volumes, and the clone. Images stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#attached) child.signal("SIGKILL");
    await this.compose(["--profile", "*", "down", "--volumes", "--timeout", "5"]);
    // the build gives every service an image of its own; of those with one name all but the last are in nobody's way
    const label = `label=com.docker.compose.project=${this.name}`;
    await exec(["docker", "image", "prune", "--force", "--filter", label], { allowFailure: true });
    await rm(this.folder, { recursive: true, force: true });
  }
}
