import { HostNames } from "./host-names.ts";
import { ServiceNames } from "./service-names.ts";

const SERVICES = `
# a comment
http		80/tcp		www		# WorldWideWeb HTTP
domain		53/tcp
domain		53/udp
second		80/tcp
bad line
`;

test("the first name of a port and protocol counts", () => {
  const names = new ServiceNames(SERVICES);
  expect([names.port(80, 6), names.port(53, 17), names.port(80, 17), names.port(53, 1)]).toEqual([
    "http",
    "domain",
    undefined,
    undefined,
  ]);
});

test("a host without the file has no names", () => {
  expect(ServiceNames.ofHost("/nonexistent/services").port(80, 6)).toBeUndefined();
});

describe("names of hosts", () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test("are asked for once, and shown when they are known", async () => {
    const asked: string[] = [];
    const names = new HostNames(async (address) => {
      asked.push(address);
      return ["web.example.net"];
    });
    expect(names.host("192.0.2.1")).toBeUndefined();
    await settled();
    expect([names.host("192.0.2.1"), names.host("192.0.2.1"), asked]).toEqual([
      "web.example.net",
      "web.example.net",
      ["192.0.2.1"],
    ]);
  });

  test("that are none, or that would draw on the terminal, are not shown", async () => {
    const answers: Record<string, () => Promise<string[]>> = {
      a: async () => ["\u001b[2Jx"],
      b: () => Promise.reject(new Error("ENOTFOUND")),
      c: async () => [],
    };
    const names = new HostNames((address) => answers[address]?.() ?? Promise.resolve([]));
    for (const address of ["a", "b", "c"]) names.host(address);
    await settled();
    expect(["a", "b", "c"].map((address) => names.host(address))).toEqual([undefined, undefined, undefined]);
  });

  test("are asked for by a few at a time", async () => {
    let open = 0;
    let most = 0;
    const names = new HostNames(async () => {
      most = Math.max(most, ++open);
      await settled();
      open--;
      return [];
    });
    for (let i = 0; i < 100; i++) names.host(`10.0.0.${i}`);
    await settled();
    await settled();
    expect(most).toBe(32);
  });
});
