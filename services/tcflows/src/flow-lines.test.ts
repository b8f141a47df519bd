import { idOfKey, ipFlow } from "../test/flow-id.ts";
import { flowLines } from "./flow-lines.ts";
import { type Row, sortRows } from "./rows.ts";

const NOTHING = { packets: 0, l3Bytes: 0, l2Bytes: 0 };
const options = { bytes: "l2", biflow: false, manyDevices: false } as const;

function row(id: string, packets: number, l2Bytes: number, more: Partial<Row> = {}): Row {
  const counts = { packets, l2Bytes, l3Bytes: l2Bytes - packets * 14, back: NOTHING };
  const times = { startNs: 0, lastNs: 1, tcpFlags: 0, open: 1, end: undefined, view: undefined };
  return { id, device: "eth0", ...counts, ...times, ...more };
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;
/** What the earlier tool had seen, in no order. */
const SEEN = [
  row(ipFlow(UDP, "10.0.2.15:33137", "10.0.2.3:53"), 1, 86),
  row(ipFlow(TCP, "10.0.2.15:44986", "216.239.34.21:443"), 11, 1396),
  row(ipFlow(253, "53.3.10.0:0", "2.3.8.0:0"), 2, 120),
  row(ipFlow(TCP, "216.58.215.142:443", "10.0.2.15:56604"), 7688, 135_456_104),
  row(ipFlow(ICMP, "142.250.185.3:0", "10.0.2.15:0"), 9, 882),
  row(ipFlow(ICMP, "10.0.2.15:0", "142.250.185.3:0"), 9, 882),
  row(ipFlow(UDP, "10.0.2.3:53", "10.0.2.15:33568"), 2, 190),
  row(ipFlow(TCP, "10.0.2.15:56604", "216.58.215.142:443"), 6607, 357_591),
  row(ipFlow(UDP, "10.0.2.3:53", "10.0.2.15:38055"), 2, 308),
  row(ipFlow(0, "232.138.10.0:0", "2.15.0.0:0"), 2, 84),
  row(ipFlow(UDP, "10.0.2.15:33568", "10.0.2.3:53"), 2, 146),
  row(ipFlow(TCP, "10.0.2.15:22", "10.0.2.2:52483"), 119, 11_725),
];
/** The table of its documentation, to the letter. */
const TABLE = `
PROTOCOL SOURCE                DESTINATION           PACKETS BYTES
TCP      216.58.215.142:443    10.0.2.15:56604       7688    129.18 MiB
TCP      10.0.2.15:56604       216.58.215.142:443    6607    349.21 KiB
TCP      10.0.2.15:22          10.0.2.2:52483        119     11.45 KiB
TCP      10.0.2.15:44986       216.239.34.21:443     11      1.36 KiB
ICMP     142.250.185.3:0       10.0.2.15:0           9       882
ICMP     10.0.2.15:0           142.250.185.3:0       9       882
UDP      10.0.2.3:53           10.0.2.15:38055       2       308
UDP      10.0.2.3:53           10.0.2.15:33568       2       190
UDP      10.0.2.15:33568       10.0.2.3:53           2       146
other    53.3.10.0:0           2.3.8.0:0             2       120
UDP      10.0.2.15:33137       10.0.2.3:53           1       86
IP       232.138.10.0:0        2.15.0.0:0            2       84
`;

test("the table of the earlier tool, character for character", () => {
  expect(`\n${flowLines(sortRows(SEEN, "bytes", "l2", undefined), options).join("\n")}\n`).toBe(TABLE);
});

test("the biggest only", () => {
  expect(flowLines(sortRows(SEEN, "bytes", "l2", 2), options)).toEqual(TABLE.split("\n").slice(1, 4));
});

test("IPv6 widens the columns", () => {
  const from = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535";
  const lines = flowLines([row(ipFlow(TCP, from, "[2001:db8::2]:443"), 3, 300)], options);
  expect(lines).toEqual([
    `PROTOCOL ${"SOURCE".padEnd(from.length)} DESTINATION           PACKETS BYTES`,
    `TCP      ${from} [2001:db8::2]:443     3       300`,
  ]);
});

test("what is not IP has its EtherType and no addresses; what found no room says so", () => {
  const rows = [
    row(idOfKey({ ether_type: 0x0806 }), 4, 168),
    row(idOfKey({ ether_type: 0x88b5 }), 2, 128),
    row(idOfKey({ protocol: UDP, version: 0xff }), 1, 100),
  ];
  expect(flowLines(rows, options).slice(1)).toEqual([
    "ARP      -                     -                     4       168",
    "0x88b5   -                     -                     2       128",
    "UDP      table full            egress                1       100",
  ]);
});

test("both directions in one row, and the interface where there are several", () => {
  const back = { packets: 7, l2Bytes: 2048, l3Bytes: 1950 };
  const rows = [row(ipFlow(TCP, "10.0.0.1:4000", "10.0.0.2:80"), 9, 1000, { back })];
  expect(flowLines(rows, { ...options, biflow: true, manyDevices: true })).toEqual([
    "PROTOCOL SOURCE                DESTINATION           PACKETS BYTES       BACK    BYTES BACK  INTERFACE",
    "TCP      10.0.0.1:4000         10.0.0.2:80           9       1000        7       2.00 KiB    eth0",
  ]);
});

test("bytes of IP packets instead of frames", () => {
  const rows = [row(ipFlow(UDP, "10.0.0.1:1", "10.0.0.2:2"), 10, 1000)];
  expect(flowLines(rows, { ...options, bytes: "l3" })[1]).toMatch(/ 860$/);
});

test("names in the place of numbers, where there are any", () => {
  const names = {
    host: (address: string) => (address === "10.0.0.2" ? "web.example.net" : undefined),
    port: (port: number, protocol: number) => (port === 443 && protocol === TCP ? "https" : undefined),
  };
  const rows = [
    row(ipFlow(TCP, "10.0.0.1:4000", "10.0.0.2:443"), 1, 60),
    row(ipFlow(UDP, "[fd00::1]:1", "[fd00::2]:443"), 1, 60),
  ];
  expect(flowLines(rows, { ...options, names })).toEqual([
    "PROTOCOL SOURCE                DESTINATION           PACKETS BYTES",
    "TCP      10.0.0.1:4000         web.example.net:https 1       60",
    "UDP      [fd00::1]:1           [fd00::2]:443         1       60",
  ]);
});
