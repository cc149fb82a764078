/** The options of sinks whose records may have to wait for a server. */
import * as v from "valibot";
import { integer, size } from "../values/fields.ts";

const RECORDS = "a whole number from 1 to 10000000";
const OVERFLOW = '"oldest" or "newest"';

/** Entries of their schemas. */
export const QUEUE_OPTIONS = {
  queue: v.optional(
    v.pipe(
      integer(1, 10_000_000, RECORDS),
      v.description("records that wait at most for the server; 10000 when silent"),
    ),
    10_000,
  ),
  queueBytes: v.optional(
    v.pipe(size(false), v.description("bytes that wait at most for the server; 16MiB when silent")),
    16 * 1024 * 1024,
  ),
  overflow: v.optional(
    v.pipe(
      v.picklist(["oldest", "newest"], OVERFLOW),
      v.description(
        `which records are dropped when more have to wait: ${OVERFLOW}; oldest when silent`,
      ),
    ),
    "oldest",
  ),
};
