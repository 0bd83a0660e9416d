/** A connection to RabbitMQ that is opened again after every loss. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Link, Refused, withLink } from "./connection.ts";
import { reasonOf, Trouble } from "./output.ts";

/**
 * Connects now or later, and a second after every loss.
 *
 * @param use works until the link is lost, and calls `works` whenever all is well
 * @param onRefused is called each time that RabbitMQ refuses
 * @returns a function that ends it: it calls `finish` while the link is still open
 */
export function stayConnected(
  url: URL,
  name: string,
  use: (link: Link, works: () => void) => Promise<never>,
  onRefused: (error: Refused) => void = () => {},
) {
  const trouble = new Trouble();
  const works = () => trouble.ends("RabbitMQ is back");
  let latest: Link | undefined;
  let isLeaving = false;

  async function connectAgain(): Promise<void> {
    while (!isLeaving) {
      try {
        await withLink(url, name, (link) => {
          latest = link;
          return use(link, works);
        });
      } catch (error) {
        if (isLeaving) return;
        if (error instanceof Refused) onRefused(error);
        trouble.begins(`RabbitMQ is away: ${reasonOf(error)}`);
      }
      await sleep(1000);
    }
  }

  connectAgain();
  return async function leave(finish?: (link: Link) => Promise<void>): Promise<void> {
    isLeaving = true;
    if (!latest) return;
    await finish?.(latest);
    await latest.close(new Error("it was closed"));
  };
}
