/** What a process that Portico starts finds as its stdin. */
import { closeSync, openSync } from "node:fs";
import type { Descriptors } from "../core/descriptors.ts";

/** One end each of two pairs of sockets. */
export interface ChannelEnds {
  /** Messages go along it. */
  readonly channel: number;
  /** Descriptors go along it. */
  readonly descriptorChannel: number;
}

/**
 * Two pairs, one end of each for the other side. @throws PorticoError EMFILE, with nothing left open.
 */
export function openEnds(
  descriptors: Descriptors,
): readonly [ours: ChannelEnds, theirs: ChannelEnds] {
  const [channel, channelTheirs] = descriptors.pair();
  try {
    const [descriptorChannel, descriptorChannelTheirs] = descriptors.pair();
    return [
      { channel, descriptorChannel },
      { channel: channelTheirs, descriptorChannel: descriptorChannelTheirs },
    ];
  } catch (error) {
    closeEnds(descriptors, { channel, descriptorChannel: channelTheirs });
    throw error;
  }
}

export function closeEnds(descriptors: Descriptors, ends: ChannelEnds): void {
  descriptors.close(ends.channel);
  descriptors.close(ends.descriptorChannel);
}

/** Takes the channel that is descriptor 0, and the descriptor channel, which is the first thing on it. There is no stdin any more. */
export function takeEnds(descriptors: Descriptors): ChannelEnds {
  const descriptorChannel = descriptors.take(0, true);
  const channel = descriptors.duplicate(0);
  // Were it closed first, another thread's file might be what all take for stdin.
  const nothing = openSync("/dev/null", "r");
  descriptors.replace(0, nothing);
  closeSync(nothing);
  return { channel, descriptorChannel };
}
