/** What `--help` prints. */
export const HELP = `Portico runs a manifest: protocol handlers, and where they listen.

  portico [run] [PATH]   runs it until SIGINT or SIGTERM
  portico check [PATH]   checks it, and whether this machine can do it; binds nothing
  portico doctor         tells what this runtime on this machine can do, and why not

PATH is a manifest, or a folder with portico.json, portico.jsonc or portico.ts; without it, the
current folder.

  --json                 prints JSON, one line each
  --version              prints the version
  --help                 prints this

Signals: SIGINT and SIGTERM stop accepting, drain and end; a second one closes at once.
SIGHUP opens log files anew. SIGUSR2 writes a status record.
Exit codes: 0 clean stop, 1 it could not run, 2 the manifest or the call is wrong.
`;
