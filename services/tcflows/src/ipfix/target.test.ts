import { ipfixTargetProblem, parseIpfixTarget } from "./target.ts";

test.each([
  ["10.0.0.1:4739", { transport: "udp", host: "10.0.0.1", port: 4739, url: "udp://10.0.0.1:4739" }],
  ["udp://[::1]:2055", { transport: "udp", host: "::1", port: 2055, url: "udp://[::1]:2055" }],
  ["tcp://collector:4739", { transport: "tcp", host: "collector", port: 4739, url: "tcp://collector:4739" }],
])("reads %s", (text, target) => {
  expect(parseIpfixTarget(text)).toEqual(target);
});

test.each(["", "10.0.0.1", "10.0.0.1:0", "sctp://10.0.0.1:4739", "tcp://h:1/path", "tcp://"])("refuses %j", (text) => {
  expect(ipfixTargetProblem(text)).toMatch(/HOST:PORT/);
});
