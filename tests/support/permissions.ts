/** What this user may do here. */
import process from "node:process";

/** Why nobody else can be become here; false when that can be. */
export const lackingRoot: string | false = process.getuid?.() !== 0 &&
  "only root can become another user";
