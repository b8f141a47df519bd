// The demo's hosts: node host.mjs source|router|sink. 1000 UDP packets a second go from the source through the router,
// which loses one in a hundred, to the sink. The router tells how many it lost in each block, by the mark that they had.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { setTimeout as pause } from "node:timers/promises";

// Addresses for tests between networks (RFC 2544), which Docker knows nothing of: its filters leave them alone.
const SOURCE = "198.18.77.1";
const ROUTER_LEFT = "198.18.77.2";
const ROUTER_RIGHT = "198.18.77.5";
const SINK = "198.18.77.6";
const PORT = 5000;
const TICK_MS = 10;
const PACKETS_A_TICK = 10;
const ONE_IN = 100;
const BLOCK_MS = 2000;
const DSCP = [2, 3];

const run = (command) => execFileSync(command.split(" ")[0], command.split(" ").slice(1), { encoding: "utf8" });

/** The interface towards a neighbour, who may come up later: the order of interfaces is up to Docker. */
async function deviceTowards(name) {
  for (;;) {
    try {
      const { address } = await lookup(name, 4);
      return /\bdev (\S+)/.exec(run(`ip -oneline route get ${address}`))[1];
    } catch (error) {
      if (error.code !== "ENOTFOUND" && error.code !== "EAI_AGAIN") throw error;
      await pause(100);
    }
  }
}

/** Makes the measured link the one of the default route, which is what agents measure unless told otherwise. */
async function join(address, gateway) {
  const device = await deviceTowards("demo-router");
  run(`ip address add ${address}/30 dev ${device}`);
  run(`ip route replace default via ${gateway} dev ${device}`);
}

async function source() {
  await join(SOURCE, ROUTER_LEFT);
  const socket = createSocket("udp4");
  const payload = Buffer.alloc(100);
  setInterval(() => {
    for (let i = 0; i < PACKETS_A_TICK; i++) socket.send(payload, PORT, SINK);
  }, TICK_MS);
}

async function sink() {
  await join(SINK, ROUTER_RIGHT);
  createSocket("udp4").bind(PORT);
}

async function router() {
  run(`ip address add ${ROUTER_LEFT}/30 dev ${await deviceTowards("demo-source")}`);
  run(`ip address add ${ROUTER_RIGHT}/30 dev ${await deviceTowards("demo-sink")}`);
  const rules = `table ip demo {
    counter dropped0 { }
    counter dropped1 { }
    chain lose {
      ip dscp ${DSCP[0]} counter name dropped0
      ip dscp ${DSCP[1]} counter name dropped1
      drop
    }
    chain forward {
      type filter hook forward priority 0
      udp dport ${PORT} numgen inc mod ${ONE_IN} 0 jump lose
    }
  }`;
  execFileSync("nft", ["-f", "-"], { input: rules });
  const last = [undefined, undefined];
  const tell = () => {
    const block = Math.floor(Date.now() / BLOCK_MS) - 1;
    const colour = block % 2;
    const { nftables } = JSON.parse(run("nft -j list counters"));
    const { packets } = nftables.find(({ counter }) => counter?.name === `dropped${colour}`).counter;
    // what this colour has lost since it was last looked at, two blocks ago, is of this block
    if (last[colour]?.block === block - 2) {
      process.stdout.write(`[${localTime(block * BLOCK_MS)}] the router dropped ${packets - last[colour].packets}\n`);
    }
    last[colour] = { block, packets };
    next();
  };
  const next = () => setTimeout(tell, BLOCK_MS - ((Date.now() + BLOCK_MS / 2) % BLOCK_MS));
  next();
}

function localTime(ms) {
  return new Date(ms).toLocaleString("sv-SE");
}

const roles = { source, router, sink };
const role = roles[process.argv[2]];
if (role === undefined) {
  process.stderr.write("usage: node host.mjs source|router|sink\n");
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
await role();
