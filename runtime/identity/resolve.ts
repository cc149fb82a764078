import process from "node:process";
import { PorticoError } from "../core/errors.ts";
import type { Identity } from "../core/plan.ts";
import { type AccountFiles, ACCOUNTS, readGroups, readUsers, type User } from "./accounts.ts";

/** Whom a process can become, in the kernel's numbers. */
export interface ResolvedIdentity {
  readonly uid: number;
  readonly gid: number;
  /** All of them, {@link gid} too, ascending: what setgroups(2) takes. */
  readonly groups: readonly number[];
  /** `user:group` as the manifest says them, for people. */
  readonly name: string;
}

/**
 * Looks a user and a group up by name, or by number: the user's own group, and all groups that have
 * the user among their members. A number needs an entry only where something else depends on it: a
 * user without one needs a group. A group alone leaves the user.
 *
 * @param files for tests.
 * @returns undefined when neither is named.
 * @throws PorticoError ENOENT, with the name and the file, for what is not known.
 */
export function resolveIdentity(
  { user, group }: Identity,
  files: AccountFiles = ACCOUNTS,
): ResolvedIdentity | undefined {
  if (user === undefined && group === undefined) return undefined;
  const found = user === undefined ? undefined : findUser(user, files);
  const gid = group === undefined ? found?.gid : findGroup(group, files);
  if (gid === undefined) {
    throw unknown(
      `user ${user} has no entry in ${files.passwd}, which would name its group`,
      'set "group" as well',
    );
  }
  const uid = found?.uid ?? process.getuid!();
  const groups = new Set([gid, ...found?.name === undefined ? [] : groupsOf(found.name, files)]);
  return {
    uid,
    gid,
    groups: [...groups].toSorted((a, b) => a - b),
    name: [user ?? uid, ...(group === undefined ? [] : [group])].join(":"),
  };
}

/** A name is looked for first: there are users that are called 1000. */
function findUser(
  user: string | number,
  { passwd }: AccountFiles,
): Partial<User> & { uid: number } {
  const users = readUsers(passwd);
  const named = users.find(({ name }) => name === user);
  if (named !== undefined) return named;
  const uid = numberOf(user);
  if (uid !== undefined) return users.find((one) => one.uid === uid) ?? { uid };
  throw unknown(
    `there is no user ${JSON.stringify(user)} in ${passwd}`,
    "users of other directories are taken by their number, with a group",
  );
}

function findGroup(group: string | number, { group: file }: AccountFiles): number {
  if (typeof group === "number") return group;
  const gid = readGroups(file).find(({ name }) => name === group)?.gid ?? numberOf(group);
  if (gid !== undefined) return gid;
  throw unknown(
    `there is no group ${JSON.stringify(group)} in ${file}`,
    "groups of other directories are taken by their number",
  );
}

function groupsOf(user: string, { group }: AccountFiles): number[] {
  return readGroups(group).filter(({ members }) => members.includes(user)).map(({ gid }) => gid);
}

/** A number, also as text: what an environment variable can give. */
function numberOf(id: string | number): number | undefined {
  return typeof id === "number" ? id : /^\d+$/.test(id) ? Number(id) : undefined;
}

function unknown(what: string, remedy: string): PorticoError {
  return new PorticoError("ENOENT", `${what}; ${remedy}`);
}
