import { Writer } from "./writer.ts";

let shared: Writer | undefined;

/**
 * The writer of standard output, one for all sinks, so that their lines keep their order. A reader
 * that goes away (EPIPE) ends it in silence: the server is not there for its log.
 */
export function stdout(): Writer {
  return shared ??= new Writer(1, () => {});
}
