/**
 * An adapter whose connections are adopted: what its listeners accept, it gives away by descriptor
 * and takes back. The rules for connections hold for them all the same.
 */
import type { Adapter, Listener } from "../../runtime/core/contract.ts";

const STREAMS_ONLY = { reason: "connections are adopted, not datagrams" };

/** @param adapter the real one. */
export function adopting(adapter: Adapter): Adapter {
  const { features } = adapter;
  return {
    ...adapter,
    features: {
      ...features,
      transports: { ...features.transports, udp: STREAMS_ONLY, unixgram: STREAMS_ONLY },
    },
    async listen(endpoint, table, options): Promise<Listener> {
      const descriptors = await adapter.descriptors();
      const under = new Set<Promise<void>>();
      const listener = await descriptors.admit(endpoint, {
        arrive(fd, origin) {
          const adoption = descriptors.adopt(fd, origin, table, undefined);
          under.add(adoption);
          adoption.finally(() => under.delete(adoption)).catch((error) => table.failure(error));
        },
        failure: (error) => table.failure(error),
      }, options);
      return {
        address: listener.address,
        duplicate: () => listener.duplicate(),
        async close(keep) {
          await listener.close(keep);
          await Promise.allSettled(under);
        },
      };
    },
  };
}
