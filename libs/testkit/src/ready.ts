import type { Namespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

const START_DEADLINE_MS = 10_000;

/** Waits until every interface of a namespace that is up can send and every address can be used. */
export async function waitUntilReady(ns: Namespace, deadlineMs = START_DEADLINE_MS): Promise<void> {
  await waitFor(
    async () => {
      const links = (await ns.ipJson("address", "show", "up")) as readonly {
        readonly ifname: string;
        readonly operstate: string;
        readonly addr_info: readonly { readonly tentative?: boolean }[];
      }[];
      return links.every(
        (link) =>
          link.operstate !== "DOWN" &&
          link.operstate !== "LOWERLAYERDOWN" &&
          link.addr_info.every((a) => a.tentative !== true),
      );
    },
    { deadlineMs, what: `${ns.label}: links up and addresses usable` },
  );
}
