/** What a {@link Delivery} hands its frames to. */
import type { PorticoError } from "../../core/errors.ts";

/** Where a link takes its frames from. */
export interface FrameSource {
  /** The next one, which stays where it is. */
  peek(): Uint8Array | undefined;
  /** Takes it out. */
  shift(): void;
}

/** What a link tells. Nothing is told from inside {@link Link.pump}. */
export interface LinkEvents {
  /** It takes frames again, or has become {@link Link.idle}. */
  ready(): void;
  /** It is over, by no wish of ours; told once. What is {@link Link.unsent} has to go out again. */
  lost(error: PorticoError): void;
}

/** One way to a log server, from its opening to its loss. */
export interface Link {
  /** All that was taken is with the kernel. */
  readonly idle: boolean;
  /** When it is over: what it had taken and the server has not got, for all that is known. */
  readonly unsent: readonly Uint8Array[];
  /**
   * Takes what it can take now, in bounds that delay nobody.
   *
   * @returns true when it would have taken more.
   * @throws PorticoError when it is over: the frame stays in the source. EMSGSIZE is about that frame alone.
   */
  pump(source: FrameSource): boolean;
  /**
   * Ends it; what was taken goes out, if it does so within `limit` ms.
   *
   * @returns how many frames have not, or were sent to nobody.
   */
  close(limit: number): Promise<number>;
}

/** @throws PorticoError when there is no way now. */
export type OpenLink = (events: LinkEvents) => Promise<Link>;
