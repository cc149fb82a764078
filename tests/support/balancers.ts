/** Balancers that others have made, which are run beside a server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Program } from "./program.ts";
import type { Scope } from "./scope.ts";
import { until } from "./until.ts";

/** Waits until a balancer listens there; that it ends before is a failure. */
export async function listening(port: number, program: Program): Promise<void> {
  let open = false;
  await until(() => `${port} to be open: ${program.errors}`, () => {
    assert.equal(program.code, undefined, `it has ended: ${program.errors}`);
    const look = connect({ host: "127.0.0.1", port });
    look.on("error", () => {});
    look.on("connect", () => {
      open = true;
      look.destroy();
    });
    return open;
  });
}

/** nginx with a server of its module for streams, which listens on `port`. */
export async function startNginx(
  scope: Scope,
  home: string,
  port: number,
  server: string,
): Promise<Program> {
  writeFileSync(
    join(home, "nginx.conf"),
    `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid ${home}/nginx.pid;
error_log stderr;
events {}
stream { server { ${server} } }
`,
  );
  const words = ["-p", home, "-c", join(home, "nginx.conf"), "-e", "stderr"];
  const nginx = new Program(scope, home, "nginx", ...words);
  await listening(port, nginx);
  return nginx;
}
