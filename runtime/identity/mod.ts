/** Who a process is: looked up in the manifest's words, and become. */
export { applyProcess } from "./apply.ts";
export { dropPrivileges } from "./drop.ts";
export { type ResolvedIdentity, resolveIdentity } from "./resolve.ts";
