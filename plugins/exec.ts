import { spawn as spawnPiped } from "node:child_process";
import process from "node:process";
import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { environmentOf, passed } from "./exec/environment.ts";
import { findFolder, findProgram } from "./exec/find.ts";
import { gather, Output } from "./exec/output.ts";
import { limited } from "./exec/limits.ts";
import { Programs } from "./exec/programs.ts";
import { type ExecInput, type ExecOptions, options } from "./exec/options.ts";
import { refuseLoops } from "./wire.ts";

export type { ExecInput, ExecOptions };

/** Standard error of the program of a stream. */
const STDERR = { log: "pipe", discard: "ignore", peer: "fd" } as const;

/**
 * Runs a program for each peer, as inetd does: the connected socket itself is its standard input and
 * output. Never through a shell. The environment says who has called, as that of inetd and of
 * ucspi-tcp does (`PROTO`, `REMOTE_HOST`, `TCPREMOTEIP` …); `close` says how the program ended.
 *
 * A datagram is the program's whole input, and what it prints is the answer, sent when it has ended.
 * That may be more than was asked for: do not offer it over UDP to networks that may lie about a
 * sender.
 *
 * What still runs when the service stops gets SIGTERM, and SIGKILL `killAfter` later; so does what
 * it has started, unless that has left its process group.
 *
 * Try: `{ "plugin": "exec", "listen": "tcp://127.0.0.1:7099", "options": { "command": ["cat"] } }`
 */
const exec: Plugin<ExecOptions, unknown, ExecInput> = definePlugin({
  name: "exec",
  transports: ["stream", "datagram"],
  takes: true,
  options,
  probe(options, { folder }) {
    const { command, cwd, env, passEnv } = options;
    const path = { ...passed(passEnv), ...env }["PATH"] ?? process.env["PATH"];
    limited({ path: findProgram(command[0]!, findFolder(folder, cwd), path), args: [] }, options);
    return undefined;
  },
  start: ({ options, folder: base }) => {
    const { command, cwd, env, passEnv, stderr, timeout, killAfter, maxOutput } = options;
    const [name, ...words] = command as [string, ...string[]];
    const folder = findFolder(base, cwd);
    const variables = { ...passed(passEnv), ...env };
    const file = findProgram(name, folder, variables["PATH"] ?? process.env["PATH"]);
    const { path, args } = limited({ path: file, args: words }, options);
    const programs = new Programs({ name, stderr, killAfter, timeout });
    return {
      verify: refuseLoops,
      async take(session, fd, spawn) {
        const env = environmentOf(variables, session);
        const run = programs.start(
          session,
          () => spawn({ path, args, cwd: folder, env, fd, stderr: STDERR[stderr] }),
        );
        return await run.ended;
      },
      async data(session, datagram) {
        const env = { ...environmentOf(variables, session) };
        const errors = stderr === "discard" ? "ignore" : "pipe";
        const run = programs.start(session, () =>
          spawnPiped(path, args, {
            cwd: folder,
            env,
            stdio: ["pipe", "pipe", errors],
            detached: true,
          }));
        const output = new Output(maxOutput, () => run.kill());
        gather(run.child.stdout, output);
        if (stderr === "peer") gather(run.child.stderr, output);
        // It need not read it.
        run.child.stdin?.on("error", () => {});
        run.child.stdin?.end(datagram);
        const ending = await run.ended;
        if (ending.exit !== 0) session.log.warn(`${name} failed`, ending);
        if (output.tooLong) {
          session.log.warn(`${name} printed more than ${maxOutput} bytes: no answer`);
        } else if (output.length > 0) session.write(output.bytes());
      },
      stop: () => programs.stop(),
    };
  },
});

export default exec;
