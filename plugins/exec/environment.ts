/** What a program learns about its peer, and what else it is told. */
import process from "node:process";
import type { Session } from "../../runtime/mod.ts";

type Variables = Readonly<Record<string, string>>;

/** What is passed on when the manifest does not say. */
export const PASSED: readonly string[] = [
  "PATH",
  "HOME",
  "LANG",
  "LC_ALL",
  "LOGNAME",
  "SHELL",
  "TMPDIR",
  "TZ",
  "USER",
];

/** What {@link environmentOf} sets: none of it is to come from somebody who started Portico. */
const OURS =
  /^(?:PROTO|(?:REMOTE|LOCAL)_(?:HOST|PORT)|(?:TCP|UDP)(?:REMOTE|LOCAL)(?:IP|PORT|HOST|INFO)|UNIX(?:REMOTE|LOCAL)PATH)$/;

/** The variables of this process with these names, or all of them. */
export function passed(names: true | readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names === true ? Object.keys(process.env) : names) {
    const value = process.env[name];
    if (value !== undefined && !OURS.test(name)) found[name] = value;
  }
  return found;
}

/**
 * The environment of the program that serves `session`: `PROTO`, then for IP `REMOTE_HOST`,
 * `REMOTE_PORT`, `LOCAL_HOST`, `LOCAL_PORT` as xinetd has them and `TCPREMOTEIP`, `TCPREMOTEPORT`,
 * `TCPLOCALIP`, `TCPLOCALPORT` (or `UDP…`) as tcp-environ(5) has them; for Unix sockets
 * `UNIXLOCALPATH` and, if the peer has a name, `UNIXREMOTEPATH`. What the rule says that has let it in
 * comes last, as with tcprules(1).
 */
export function environmentOf(
  base: Variables,
  { remote, local, ruleOptions }: Pick<Session<unknown>, "remote" | "local" | "ruleOptions">,
): Variables {
  if (local.transport === "unix" || local.transport === "unixgram") {
    return {
      ...base,
      PROTO: "UNIX",
      UNIXLOCALPATH: local.path,
      ...(remote.path !== "" && { UNIXREMOTEPATH: remote.path }),
      ...ruleOptions,
    };
  }
  const protocol = local.transport === "udp" ? "UDP" : "TCP";
  return {
    ...base,
    PROTO: protocol,
    REMOTE_HOST: remote.host,
    REMOTE_PORT: String(remote.port),
    LOCAL_HOST: local.host,
    LOCAL_PORT: String(local.port),
    [`${protocol}REMOTEIP`]: remote.host,
    [`${protocol}REMOTEPORT`]: String(remote.port),
    [`${protocol}LOCALIP`]: local.host,
    [`${protocol}LOCALPORT`]: String(local.port),
    ...ruleOptions,
  };
}
