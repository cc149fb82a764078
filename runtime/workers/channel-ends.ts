/** What a process that Portico starts finds as its stdin. */
import type { Passing } from "../core/descriptors.ts";

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
  descriptors: Passing,
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

export function closeEnds(descriptors: Passing, ends: ChannelEnds): void {
  descriptors.close(ends.channel);
  descriptors.close(ends.descriptorChannel);
}

/** Takes the channel that is descriptor 0, and the descriptor channel, which is the first thing on it. There is no stdin any more. */
export function takeEnds(descriptors: Passing): ChannelEnds {
  const descriptorChannel = descriptors.take(0, true);
  const channel = descriptors.duplicate(0);
  // Were it closed first, another thread's file might be what all take for stdin.
  descriptors.silence(0);
  return { channel, descriptorChannel };
}
