import type { StreamTable } from "../../runtime/core/contract.ts";

/** Nobody is served. */
export const NOBODY: StreamTable = {
  open() {},
  data() {},
  drain() {},
  end() {},
  close() {},
  failure() {},
};
