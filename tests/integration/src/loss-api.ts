import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type LossBlock, LossVerdict, QueryService } from "@waymark/proto/query";
import { waitFor } from "@waymark/testkit";

/** The collector's answers, through the client that a user has. */
export class LossApi {
  readonly client: Client<typeof QueryService>;

  constructor(baseUrl: string) {
    this.client = createClient(QueryService, createGrpcTransport({ baseUrl }));
  }

  /** All blocks so far, oldest first. */
  async blocks(): Promise<LossBlock[]> {
    const blocks: LossBlock[] = [];
    let pageToken = "";
    do {
      const page = await this.client.listLoss({ pageToken, pageSize: 10_000 });
      blocks.push(...page.blocks);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return blocks;
  }

  /** Waits until everything up to block `last` has a verdict, whatever it is. @throws with `log` when it takes too long */
  async settled(last: bigint, deadlineMs: number, log: () => readonly string[] = () => []): Promise<void> {
    let blocks: LossBlock[] = [];
    const hasVerdict = async () => {
      blocks = await this.blocks();
      const isPending = ({ verdict }: LossBlock) => verdict === LossVerdict.PENDING;
      const decided = blocks.some((block) => block.blockNumber >= last && !isPending(block));
      return decided && !blocks.some((block) => block.blockNumber <= last && isPending(block));
    };
    await waitFor(hasVerdict, { deadlineMs, what: `a verdict for block ${last}` }).catch((error: Error) => {
      const seen = blocks.slice(-12).map((block) => `${block.blockNumber} ${LossVerdict[block.verdict]}`);
      throw new Error([error.message, ...seen, ...log()].join("\n"));
    });
  }
}

/** Whether a block is exact. */
export function isComplete(block: LossBlock): boolean {
  return block.verdict === LossVerdict.COMPLETE;
}
