/** The buffers that all datagram sockets of one thread receive into and send from. */
import type { Libc } from "./libc.ts";
import { ReceiveBatch } from "./receive-batch.ts";
import { SendBatch } from "./send-batch.ts";
import { AddressInterner } from "./sockaddr.ts";

export interface BatchBuffers {
  readonly received: ReceiveBatch;
  readonly sending: SendBatch;
  readonly peers: AddressInterner;
}

let shared: BatchBuffers | undefined;

/** Made at first need; afterwards the same ones. */
export function buffersOf(libc: Libc): BatchBuffers {
  return shared ??= {
    received: new ReceiveBatch(libc),
    sending: new SendBatch(libc),
    peers: new AddressInterner(),
  };
}
