import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPacket, PCAP_LINK, writePcap } from "@waymark/packet";
import { describeWithTools } from "@waymark/testkit";
import { type Decoded, decodeIpfix } from "../../test/cflow.ts";
import { idOfKey, ipFlow } from "../../test/flow-id.ts";
import { overflowId } from "../flow-key.ts";
import type { FlowRecord } from "../flow-record.ts";
import { dataRecord, ntpTime } from "./data-record.ts";
import { buildMessage } from "./message.ts";

const PORT = 4739;
const START_NS = 1_700_000_000_000_000_000n;
const context = { wallNs: (ns: number) => START_NS + BigInt(ns), ifindexOf: () => 5 };

function record(id: string, more: Partial<FlowRecord> = {}): FlowRecord {
  return {
    id,
    device: "eth0",
    packets: 7,
    l3Bytes: 2 ** 40 + 1000,
    l2Bytes: 2 ** 40 + 1098,
    firstNs: 1.5e9 + 1,
    lastNs: 2.25e9 + 999,
    startNs: 1e9,
    tcpFlags: 0x11b,
    dscp: 46,
    sourceMac: 0x020000000001,
    destinationMac: 0xfe0000000002,
    end: "fin",
    duplicate: false,
    clockStepped: false,
    ...more,
  };
}

async function decode(messages: readonly Uint8Array[]): Promise<Decoded> {
  const folder = await mkdtemp(join(tmpdir(), "waymark-ipfix-"));
  try {
    const path = join(folder, "ipfix.pcap");
    const packets = messages.map((payload) => ({
      bytes: buildPacket({
        ethernet: {},
        ipv4: { source: "10.0.0.9", destination: "10.0.0.8" },
        transport: { kind: "udp", sourcePort: 40_000, destinationPort: PORT, payload },
      }),
    }));
    await writeFile(path, writePcap(packets, PCAP_LINK.ethernet));
    return await decodeIpfix(path, "udp", PORT);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const options = { exportTimeS: 1_700_000_010, sequence: 41, observationDomain: 0, withTemplates: true, maxBytes: 1400 };

describeWithTools("tshark reads our IPFIX", ["tshark"], () => {
  test("every field of a record of every template", async () => {
    const records = [
      record(ipFlow(6, "10.0.0.1:1000", "10.0.0.2:80", { vlan_id: 7 })),
      record(ipFlow(58, "[2001:db8::1]:0", "[2001:db8::2]:0", { icmp_type: 128, icmp_code: 3, direction: 1 }), {
        end: "idle",
      }),
      record(idOfKey({ ether_type: 0x0806 }), { end: undefined }),
      record(overflowId("ingress", 17), { end: undefined }),
    ].map((one) => dataRecord(one, context));
    const { octets, count } = buildMessage(records, options);
    expect(count).toBe(4);
    const { flows, templates, messages } = await decode([octets]);
    expect([templates, messages]).toEqual([["256", "257", "258"], [[41, 4]]]);
    const common = {
      "cflow.abstimestart": "Nov 14, 2023 22:13:21.500000001 UTC",
      "cflow.abstimeend": "Nov 14, 2023 22:13:22.250000999 UTC",
      "cflow.packets": "7",
      "cflow.octets": String(2 ** 40 + 1000),
      "cflow.layer2_octet_delta_count": String(2 ** 40 + 1098),
      "cflow.srcmac": "02:00:00:00:00:01",
      "cflow.dstmac": "fe:00:00:00:00:02",
      "cflow.if_name": "eth0",
    };
    const ways = {
      egress: { "cflow.direction": "1", "cflow.inputint": "0", "cflow.outputint": "5" },
      ingress: { "cflow.direction": "0", "cflow.inputint": "5", "cflow.outputint": "0" },
    };
    expect(flows).toMatchObject([
      {
        ...common,
        ...ways.egress,
        "cflow.flow_end_reason": "3",
        "cflow.vlanid": "7",
        "cflow.protocol": "6",
        "cflow.ip_dscp": "46",
        "cflow.tcpflags": "0x011b",
        "cflow.srcport": "1000",
        "cflow.dstport": "80",
        "cflow.srcaddr": "10.0.0.1",
        "cflow.dstaddr": "10.0.0.2",
      },
      {
        ...common,
        ...ways.ingress,
        "cflow.flow_end_reason": "1",
        "cflow.protocol": "58",
        "cflow.icmp_ipv6_type": "128",
        "cflow.icmp_ipv6_code": "3",
        "cflow.srcaddrv6": "2001:db8::1",
        "cflow.dstaddrv6": "2001:db8::2",
      },
      { ...common, ...ways.egress, "cflow.flow_end_reason": "2", "cflow.ethernet_type": String(0x0806) },
      { ...common, ...ways.ingress, "cflow.flow_end_reason": "5", "cflow.protocol": "17" },
    ]);
  });

  test("what does not fit into a message goes into the next, in order and with the right sequence", async () => {
    const all = Array.from({ length: 100 }, (_, i) => {
      const id =
        i % 3 === 2 ? ipFlow(17, `[fd00::1]:${i + 1}`, "[fd00::2]:9") : ipFlow(17, `10.0.0.1:${i + 1}`, "10.0.0.2:9");
      return dataRecord(record(id), context);
    });
    const sent: Uint8Array[] = [];
    for (let at = 0; at < all.length; ) {
      const withTemplates = at === 0;
      const { octets, count } = buildMessage(all.slice(at), {
        ...options,
        sequence: at,
        withTemplates,
        maxBytes: 1000,
      });
      expect(octets.length).toBeLessThanOrEqual(1000);
      expect(count).toBeGreaterThan(0);
      sent.push(octets);
      at += count;
    }
    const { flows, messages } = await decode(sent);
    expect(flows.map((flow) => Number(flow["cflow.srcport"]))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    let expected = 0;
    for (const [sequence, records] of messages) {
      expect(sequence).toBe(expected);
      expected += records;
    }
  });
});

test("a time of NTP is the same nanosecond for whoever cuts off", () => {
  for (const ns of [0n, 1n, 999_999_999n, START_NS, START_NS + 500_000_001n]) {
    const time = ntpTime(ns);
    const seconds = (time >> 32n) - 2_208_988_800n;
    expect(seconds * 1_000_000_000n + (((time & 0xffff_ffffn) * 1_000_000_000n) >> 32n)).toBe(ns);
  }
});
