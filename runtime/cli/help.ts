import { print } from "../terminal/output.ts";

const HELP = `Portico runs a manifest: protocol handlers, and where they listen.

  portico [run] [PATH]   runs it until SIGINT or SIGTERM
  portico check [PATH]   checks it, and whether this machine can do it; binds nothing
  portico doctor         tells what this runtime on this machine can do, and why not
  portico ctl VERB       asks a server that runs, over its control socket

PATH is a manifest, or a folder with portico.json, portico.jsonc or portico.ts; without it,
PORTICO_MANIFEST of the environment, or the current folder.

  --json                 prints JSON, one line each
  --version              prints the version
  --help                 prints this

  check --permissions    prints the flags that Deno needs for the manifest, and runs nothing of it
  run --watch            reloads when the manifest or a plugin changes
  run --stats            keeps a line on the terminal: sessions, rate, bytes

The verbs of ctl; those with [SERVICE] concern all services when it is left out:

  status [SERVICE]       what runs, where it listens, what it has done
  reload                 reads the manifest again, changes what changed
  suspend [SERVICE]      stops accepting; what connects waits in the kernel's queue
  resume [SERVICE]       accepts again
  drain [SERVICE]        stops accepting, returns when the sessions are over
  stop [SERVICE]         ends the service; without SERVICE the server, and returns when it has gone
  upgrade                hands the sockets to a new process, then ends this one; no connection is lost

  --manifest PATH        the manifest of the server that is meant
  --socket PATH          its control socket, instead
  upgrade --to RUNTIME   on node, bun or deno; on the same one when silent

Signals: SIGINT and SIGTERM stop accepting, drain and end; a second one closes at once.
SIGHUP reloads, and opens log files anew. SIGUSR2 writes a status record.
Exit codes: 0 clean stop, 1 it could not be done, 2 the manifest or the call is wrong.
`;

/** Tells how `portico` is called. @returns 0. */
export async function printHelp(): Promise<number> {
  await print(HELP);
  return 0;
}
