import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { LossVerdict, PathState, QueryService } from "@waymark/proto/query";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../src/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../src/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as AlphaReflection } from "../src/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Pusher, queryClient, startTestCollector, type TestCollector } from "./harness.ts";
import { type BlockFacts, block, flow, L, presence, reportOf } from "./history.ts";
import { freePort, temporaryDirectory, until } from "./temporary.ts";

const run = promisify(execFile);
const directory = temporaryDirectory();
const nowNs = () => BigInt(Date.now()) * 1_000_000n;
const B = nowNs() / L - 2n;
let collector: TestCollector;
let pusher: Pusher;
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await freePort();
  collector = await startTestCollector(directory.path, { metrics: { host: "127.0.0.1", port: metricsPort } });
  pusher = new Pusher(collector.grpcPort);
  await pushPair(B - 1n, { path: "api" });
  await pushPair(B, { path: "api" }, { flows: [flow("default", 98n)] });
});

afterAll(async () => {
  pusher.close();
  await collector.close();
  directory.remove();
});

async function pushPair(blockNumber: bigint, both: Partial<BlockFacts> = {}, sink: Partial<BlockFacts> = {}) {
  const stamp = { storedNs: nowNs() };
  await pusher.push(
    reportOf({ ...block("source", blockNumber, both), ...stamp }),
    reportOf({ ...block("sink", blockNumber, { ...both, ...sink }), ...stamp }),
  );
}

async function code(work: Promise<unknown>): Promise<Code | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

describe("one port speaks", () => {
  const transports: [string, (baseUrl: string) => Transport][] = [
    ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
    ["Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
    ["Connect with JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
    ["gRPC-Web over HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
  ];
  test.each(transports)("%s", async (_, transport) => {
    const client = createClient(QueryService, transport(`http://127.0.0.1:${collector.apiPort}`));
    const { blocks } = await client.listLoss({ path: "api" });
    expect(blocks).toMatchObject([
      { blockNumber: B - 1n, lostPackets: 0n, verdict: LossVerdict.COMPLETE },
      { blockNumber: B, lostPackets: 2n, lossRatio: 0.02, verdict: LossVerdict.COMPLETE },
    ]);
    expect(await code(client.listLoss({ pageSize: -1 }))).toBe(Code.InvalidArgument);
  });

  test("with a client that sends its first bytes one at a time", async () => {
    const socket = connect(collector.apiPort, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    for (const letter of "POST /waymark.query.v1.QueryService/ListPaths HTTP/1.1\r\n") {
      await new Promise<void>((resolve) => socket.write(letter, () => resolve()));
    }
    socket.write("host: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
    await until("an answer", () => (text.includes('"path":"api"') ? text : undefined));
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  test("and answers what it does not understand without falling over", async () => {
    const socket = connect(collector.apiPort, "127.0.0.1");
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    socket.write("PRI * HTTP/9.9\r\n\r\nnonsense");
    await closed;
    expect((await queryClient(collector.apiPort).listPaths({})).paths.length).toBeGreaterThan(0);
  });
});

describe("buf curl, with no schema", () => {
  const buf = (...args: string[]) =>
    run("npx", ["--no", "buf", "curl", ...args], { cwd: new URL("../../..", import.meta.url) });
  const base = () => `http://localhost:${collector.apiPort}`;
  const url = () => `http://127.0.0.1:${collector.apiPort}/waymark.query.v1.QueryService/ListLoss`;

  test.each(["grpc", "connect", "grpcweb"])("asks over %s", async (protocol) => {
    const { stdout } = await buf("--http2-prior-knowledge", "--protocol", protocol, url(), "-d", '{"path": "api"}');
    expect(JSON.parse(stdout).blocks[1]).toMatchObject({ lostPackets: "2", verdict: "LOSS_VERDICT_COMPLETE" });
  });

  test("asks over HTTP/1.1", async () => {
    const { stdout } = await buf("--protocol", "connect", url(), "-d", "{}");
    expect(JSON.parse(stdout).blocks.length).toBeGreaterThan(0);
  });

  test("lists the methods", async () => {
    const { stdout } = await buf("--http2-prior-knowledge", "--list-methods", base().replace("localhost", "127.0.0.1"));
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining(QueryService.methods.map(({ name }) => `waymark.query.v1.QueryService/${name}`)),
    );
  });

  test("asks about flows, whose words are those of the reports", async () => {
    const about = (method: string) => url().replace("ListLoss", method);
    const flows = '{"grouping": "FLOW_GROUPING_FLOWS", "address": "10.0.0.0/8", "start_time": "2026-09-20T08:00:00Z"}';
    const rtt = '{"method": "RTT_METHOD_DNS", "side": "RTT_SIDE_LOCAL", "step": "60s"}';
    for (const [method, request] of Object.entries({ ListFlows: flows, ListRtt: rtt })) {
      const { stdout } = await buf("--http2-prior-knowledge", "--protocol", "grpc", about(method), "-d", request);
      expect(JSON.parse(stdout)).toEqual({});
    }
    const failing = buf("--http2-prior-knowledge", "--protocol", "grpc", about("ListFlows"), "-d", '{"address": "10"}');
    await expect(failing).rejects.toMatchObject({ stderr: expect.stringContaining('address: \\"10\\" is no IPv4') });
  });

  test("and gets an error that says what is wrong", async () => {
    const failing = buf("--http2-prior-knowledge", "--protocol", "grpc", url(), "-d", '{"page_token": "nonsense"}');
    await expect(failing).rejects.toMatchObject({ stderr: expect.stringContaining("invalid_argument") });
  });
});

describe("reflection", () => {
  async function* one<T>(item: T) {
    yield item;
  }
  const services = [ServerReflection, AlphaReflection] as const;
  test.each(services.map((service) => [service.typeName, service] as const))("%s", async (_, service) => {
    const client = createClient(service, createGrpcTransport({ baseUrl: `http://127.0.0.1:${collector.apiPort}` }));
    const answers = [];
    async function* requests() {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "waymark.query.v1.LossBlock" } };
      yield { messageRequest: { case: "fileByFilename" as const, value: "google/protobuf/timestamp.proto" } };
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "no.such.Thing" } };
      yield { messageRequest: { case: "allExtensionNumbersOfType" as const, value: "x" } };
    }
    for await (const answer of client.serverReflectionInfo(requests())) answers.push(answer.messageResponse.case);
    expect(answers).toEqual([
      "listServicesResponse",
      "fileDescriptorResponse",
      "fileDescriptorResponse",
      "errorResponse",
      "errorResponse",
    ]);
    for await (const { messageResponse } of client.serverReflectionInfo(
      one({
        messageRequest: { case: "fileContainingSymbol" as const, value: "waymark.query.v1.QueryService.ListLoss" },
      }),
    )) {
      expect(messageResponse.case).toBe("fileDescriptorResponse");
    }
  });
});

test("health", async () => {
  const client = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${collector.apiPort}` }));
  expect((await client.check({})).status).toBe(Status.SERVING);
  expect((await client.check({ service: "waymark.query.v1.QueryService" })).status).toBe(Status.SERVING);
  expect(await code(client.check({ service: "nobody" }))).toBe(Code.NotFound);
  for await (const { status } of client.watch({ service: "nobody" })) {
    expect(status).toBe(Status.SERVICE_UNKNOWN);
    break;
  }
});

test("metrics", async () => {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(text).toMatch(/^waymark_collector_reports_stored_total [1-9]/m);
  expect(text).toMatch(/^waymark_collector_blocks_decided_total\{verdict="complete"\} [1-9]/m);
  expect((await fetch(`http://127.0.0.1:${metricsPort}/healthz`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${metricsPort}/nothing`)).status).toBe(404);
});

describe("ListLoss", () => {
  const client = () => queryClient(collector.apiPort);
  const time = (ns: bigint) => ({ seconds: ns / 1_000_000_000n, nanos: Number(ns % 1_000_000_000n) });

  beforeAll(async () => {
    for (let i = 0n; i < 12n; i++) {
      const both = { path: i % 2n === 0n ? "even" : "odd", flows: [flow("a", 10n), flow("b", i)] };
      await pushPair(B - 40n + i, { ...both, id: `agent-${i % 3n}` });
    }
  }, 30_000);

  test("filters by path, flow, agent and time", async () => {
    const even = await client().listLoss({ path: "even" });
    expect(even.blocks.map(({ flow: name, blockNumber }) => `${blockNumber - B + 40n}${name}`)).toEqual(
      ["0", "2", "4", "6", "8", "10"].flatMap((number) => [`${number}a`, `${number}b`]),
    );
    const b = await client().listLoss({ path: "odd", flow: "b" });
    expect(b.blocks.map(({ sentPackets }) => sentPackets)).toEqual([1n, 3n, 5n, 7n, 9n, 11n]);
    const agent = await client().listLoss({ agent: "agent-1", flow: "a" });
    expect(agent.blocks.map(({ blockNumber }) => blockNumber - B + 40n)).toEqual([1n, 4n, 7n, 10n]);
    const some = await client().listLoss({ startTime: time((B - 35n) * L), endTime: time((B - 32n) * L), flow: "a" });
    expect(some.blocks.map(({ blockNumber }) => blockNumber - B + 40n)).toEqual([5n, 6n, 7n]);
    expect(await client().listLoss({ path: "nobody's" })).toMatchObject({ blocks: [], nextPageToken: "" });
  });

  test("nothing is skipped or repeated by pages of any size, though blocks arrive meanwhile", async () => {
    const all = (await client().listLoss({})).blocks;
    for (const pageSize of [1, 5, 7]) {
      const seen = [];
      let pageToken = "";
      let page = 0;
      do {
        const answer = await client().listLoss({ pageSize, pageToken });
        seen.push(...answer.blocks);
        pageToken = answer.nextPageToken;
        expect(answer.blocks.length).toBeLessThanOrEqual(pageSize);
        // Before the place where the reader is: it must not shift the rest.
        if (page === 1) await pushPair(B - 500n - BigInt(pageSize), { path: "meanwhile", id: "meanwhile" });
        page++;
      } while (pageToken !== "");
      const own = (blocks: typeof all) => blocks.filter(({ path }) => path !== "meanwhile");
      expect(own(seen)).toEqual(own(all));
    }
  }, 60_000);

  test("a token is good for its own question only", async () => {
    const { nextPageToken } = await client().listLoss({ path: "even", pageSize: 1 });
    expect(nextPageToken).not.toBe("");
    expect(await code(client().listLoss({ path: "odd", pageToken: nextPageToken }))).toBe(Code.InvalidArgument);
    expect(await code(client().listPaths({ pageToken: nextPageToken }))).toBe(Code.InvalidArgument);
    for (const pageToken of ["x", "%%%", "a".repeat(9000), nextPageToken.slice(1), "W10"]) {
      expect(await code(client().listLoss({ pageToken }))).toBe(Code.InvalidArgument);
    }
  });

  test("refuses what cannot be asked, and takes quotes for quotes", async () => {
    expect(await code(client().listLoss({ pageSize: 10_001 }))).toBe(Code.InvalidArgument);
    expect(await code(client().listLoss({ startTime: time(2n), endTime: time(1n) }))).toBe(Code.InvalidArgument);
    expect(await code(client().listLoss({ path: "p".repeat(300) }))).toBe(Code.InvalidArgument);
    const quotes = "' OR 1=1 -- \\' \n\t{path:String}";
    expect((await client().listLoss({ path: quotes, flow: quotes, agent: quotes })).blocks).toEqual([]);
    expect((await client().listAgents({ agent: quotes })).agents).toEqual([]);
    expect((await client().listPaths({ path: quotes })).paths).toEqual([]);
  });

  test("requests beyond a mebibyte are refused", async () => {
    expect(await code(client().listLoss({ path: "p".repeat(2 << 20) }))).toBe(Code.ResourceExhausted);
  });
});

describe("ListAgents and ListPaths", () => {
  const client = () => queryClient(collector.apiPort);

  test("page by name", async () => {
    const names: string[] = [];
    let pageToken = "";
    do {
      const answer = await client().listAgents({ pageSize: 2, pageToken });
      names.push(...answer.agents.map(({ agent, role }) => `${agent}/${role}`));
      pageToken = answer.nextPageToken;
    } while (pageToken !== "");
    const all = (await client().listAgents({})).agents.map(({ agent, role }) => `${agent}/${role}`);
    expect(names).toEqual(all);
    expect(new Set(names).size).toBe(names.length);
  });

  test("show who measures a path, and whether it is measured", async () => {
    await pushPair(nowNs() / L - 1n, { path: "measured" });
    const { paths } = await client().listPaths({ path: "measured" });
    expect(paths).toMatchObject([
      {
        path: "measured",
        flows: ["default"],
        confirmed: true,
        state: PathState.MEASURED,
        points: [
          { agent: "left", role: "source", interface: "eth0", interval: { seconds: 10n } },
          { agent: "right", role: "sink", interface: "eth0" },
        ],
      },
    ]);
    const at = nowNs();
    const joined = presence("source", true, at - 1_000_000n, { path: "announced", id: "early" });
    await pusher.push(reportOf(joined));
    expect((await client().listPaths({ path: "announced" })).paths).toMatchObject([
      { confirmed: false, state: PathState.WITHOUT_SINK, points: [{ agent: "early" }], flows: ["default"] },
    ]);
    await pusher.push(reportOf(presence("source", false, at, { path: "announced", id: "early" })));
    expect((await client().listPaths({ path: "announced" })).paths).toMatchObject([{ state: PathState.SILENT }]);
    expect((await client().listAgents({ agent: "early" })).agents[0]?.flags).toContain("left");
  });

  test("show a path as confirmed only once a sink has counted since the latest end appeared", async () => {
    const both = { path: "appearing", flows: [flow("default", 5n)] };
    const dead = { ...both, flows: [flow("default", 0n)] };
    const confirmed = async () => (await client().listPaths({ path: "appearing" })).paths[0]?.confirmed;
    await pushPair(B - 3n, both, dead);
    expect(await confirmed()).toBe(false);
    await pushPair(B - 2n, both);
    expect(await confirmed()).toBe(true);
    const third = { ...both, id: "appeared", boot: "appeared" };
    await pushPair(B - 1n, both, dead);
    await pusher.push(reportOf({ ...block("source", B - 1n, third), storedNs: nowNs() }));
    expect(await confirmed()).toBe(false);
    await pushPair(B, both);
    expect(await confirmed()).toBe(true);
  });

  test("show duplicate agents", async () => {
    await pushPair(B, { path: "twins", id: "twin", boot: "boot-a" });
    await pushPair(B, { path: "twins", id: "twin", boot: "boot-b" });
    const { agents } = await client().listAgents({ agent: "twin" });
    expect(agents.map(({ flags }) => flags.includes("duplicate agent"))).toEqual([true, true]);
  });
});

describe("WatchLoss", () => {
  test("tells every watcher of a block when it is decided and again when it changes", async () => {
    const fresh = nowNs() / L - 1n;
    const stop = new AbortController();
    const watch = async (filter: { path?: string; agent?: string }) => {
      const seen: string[] = [];
      watchers.push(seen);
      try {
        for await (const { block: found } of queryClient(collector.apiPort).watchLoss(filter, {
          signal: stop.signal,
        })) {
          seen.push(`${(found?.blockNumber ?? 0n) - fresh} ${found?.verdict} ${found?.revision} ${found?.lostPackets}`);
        }
      } catch (error) {
        expect(ConnectError.from(error).code).toBe(Code.Canceled);
      }
    };
    const watchers: string[][] = [];
    const watching = [watch({ path: "watched" }), watch({ agent: "watched-agent" }), watch({ path: "another" })];
    const both = { path: "watched", id: "watched-agent" };
    // Until the first block comes through, a watcher may not have subscribed yet.
    let number = fresh - 30n;
    await until(
      "both to watch",
      async () => {
        await pushPair(number++, both);
        return watchers[0]!.length > 0 && watchers[1]!.length > 0 ? true : undefined;
      },
      30_000,
      500,
    );
    await pushPair(fresh, both, { flows: [flow("default", 95n)] });
    await until("the block", () => (watchers.slice(0, 2).every((seen) => seen.includes("0 2 1 5")) ? true : undefined));
    const late = {
      ...block("sink", fresh, { ...both, id: "watched-late", flows: [flow("default", 5n)] }),
      storedNs: nowNs(),
    };
    await pusher.push(reportOf(late));
    await until("the change", () =>
      watchers.slice(0, 2).every((seen) => seen.some((text) => /^0 . 2 /.test(text))) ? true : undefined,
    );
    stop.abort();
    await Promise.all(watching);
    expect(watchers[2]).toEqual([]);
    expect(watchers[0]!.filter((text) => text.startsWith("0 2 1"))).toHaveLength(1);
    expect(collector.lines.some((line) => line.includes("(revised) path=watched flow=default"))).toBe(true);
  }, 60_000);
});
