/** What an adapter's datagram part can do, as a part of {@link Features}. */
import type { OptionName, Support } from "../../runtime/core/contract.ts";
import type { Transport } from "../../runtime/core/endpoint.ts";

/** The entries of {@link Features} that concern `udp` and `unixgram`. */
export interface DatagramFeatures {
  readonly transports: { readonly udp: Support; readonly unixgram: Support };
  /** By option; the keys of each row are among `udp` and `unixgram`. */
  readonly options: Readonly<Record<OptionName, Readonly<Partial<Record<Transport, Support>>>>>;
}
