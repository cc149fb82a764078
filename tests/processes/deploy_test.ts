/** What deploy/ has: linted, checked by schemas, and its commands run as process 1 of a plain namespace. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { validate } from "dockerfile-utils";
import { Deployment } from "kubernetes-models/apps/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Service } from "kubernetes-models/v1";
import { parseAllDocuments } from "yaml";
import { folder } from "../support/folder.ts";
import { install, MODULES, pack, sourceTree } from "../support/package.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { children, runs, sendSignal } from "../support/proc.ts";
import { ServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const DEPLOY = fileURLToPath(new URL("../../deploy", import.meta.url).href);
const NOBODY = 65534;
const RUNTIMES = ["node", "bun", "deno"] as const;

const read = (...names: string[]): string => readFileSync(join(DEPLOY, ...names), "utf8");

/** The words of an instruction in its JSON form, the last one's of its kind. */
function wordsOf(dockerfile: string, instruction: string): string[] {
  const text = dockerfile.replaceAll("\\\n", " ");
  const found = [...text.matchAll(new RegExp(`^${instruction}\\b[^\\[\\n]*(\\[.*\\])$`, "gm"))];
  return JSON.parse(found.at(-1)![1]!) as string[];
}

describe("deploy/docker", () => {
  for (const runtime of RUNTIMES) {
    test(`Dockerfile.${runtime} has no flaw, and what a server wants`, () => {
      const text = read("docker", `Dockerfile.${runtime}`);
      assert.deepEqual(validate(text), []);
      const last = text.slice(text.lastIndexOf("\nFROM "));
      assert.match(last, /^USER (?!root)\w+$/m, "it is not root");
      assert.doesNotMatch(text, /^FROM [^\s:]+(?::latest)?(?: AS \w+)?$/m, "versions are named");
      assert.match(last, /^STOPSIGNAL SIGTERM$/m);
      for (const instruction of ["HEALTHCHECK", "ENTRYPOINT", "CMD"]) {
        assert.ok(
          wordsOf(text, instruction).length > 0,
          `${instruction} is no shell, which would be process 1`,
        );
      }
      // The user comes after what only root can do, and the packages before the rest: they change seldom.
      assert.match(last, /^COPY --from=packages .*\nCOPY \. \.\nUSER /m);
    });
  }

  test(
    "compose.yaml is one that compose takes",
    { skip: lackingPrograms("docker-compose") },
    () => {
      const { status, stdout, stderr } = spawnSync(
        pathOf("docker-compose")!,
        ["--file", join(DEPLOY, "docker/compose.yaml"), "config"],
        { encoding: "utf8" },
      );
      assert.equal(status, 0, stderr);
      assert.match(stdout, /read_only: true/);
      assert.equal(stderr, "");
    },
  );
});

describe("deploy/kubernetes", () => {
  const kinds = { Deployment, PodDisruptionBudget, ConfigMap, Service } as const;
  const documents = parseAllDocuments(read("kubernetes", "portico.yaml"));

  test("each object is one of its kind", () => {
    assert.deepEqual(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]), []);
    const objects = documents.map((each) => each.toJS() as { kind: keyof typeof kinds });
    assert.deepEqual(objects.map(({ kind }) => kind).sort(), Object.keys(kinds).sort());
    for (const object of objects) new kinds[object.kind](object as never).validate();
  });

  test("it drains before it is killed, and its manifest passes its check", async (t) => {
    const [config, deployment] = documents.map((each) => each.toJS()) as [
      { data: { "portico.json": string } },
      {
        spec: {
          template: {
            spec: {
              terminationGracePeriodSeconds: number;
              containers: { lifecycle: { preStop: { sleep: { seconds: number } } } }[];
            };
          };
        };
      },
    ];
    const home = folder(t, { "portico.json": config.data["portico.json"] });
    const { load } = await import("../../runtime/manifest/load.ts");
    const { expand } = await import("../../runtime/manifest/expand.ts");
    const { sinkCatalog } = await import("../../runtime/sinks/mod.ts");
    const plan = expand(await load(join(home, "portico.json")), sinkCatalog);
    const { containers, terminationGracePeriodSeconds } = deployment.spec.template.spec;
    const [{ lifecycle }] = containers as [typeof containers[0]];
    const drain = Math.max(...plan.services.map(({ limits }) => limits.drain)) / 1000;
    assert.ok(lifecycle.preStop.sleep.seconds + drain < terminationGracePeriodSeconds);
  });
});

test("deploy/systemd has a unit that systemd takes", {
  skip: lackingPrograms("systemd-analyze"),
}, () => {
  const unit = join(DEPLOY, "systemd/portico@.service");
  const [program, env] = [pathOf("systemd-analyze")!, { ...process.env, LC_ALL: "C" }];
  const verified = spawnSync(program, ["verify", unit], { encoding: "utf8", env });
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
  const words = ["security", "--offline=true", "--threshold=25", unit];
  const { status, stdout } = spawnSync(program, words, { encoding: "utf8", env });
  assert.equal(status, 0, `its exposure is above 2.5:\n${stdout.slice(-2000)}`);
});

/** Process 1 of a namespace in which $1 is /srv, and $2, a runtime, is in PATH; not as root. */
const CONTAINER = `set -e
mount --bind "$1" /srv
mount -t tmpfs -o mode=0755 tmpfs /run
install --directory --owner=${NOBODY} --group=${NOBODY} --mode=0700 /run/user
mount -t tmpfs tmpfs /mnt
touch "/mnt/$3"
mount --bind "$2" "/mnt/$3"
shift 3
cd /srv
exec "$@"`;
const AS_NOBODY = [
  ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
  ...["env", "-i", "PATH=/mnt:/usr/bin:/bin", "XDG_RUNTIME_DIR=/run/user", "NO_COLOR=1"],
  ...["HOME=/nonexistent", "DENO_DIR=/run/user/deno"],
] as const;
const UNSHARE = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"] as const;

function lackingNamespace(): string | false {
  const [program, ...words] = UNSHARE;
  const { status, stderr } = spawnSync(
    program,
    [...words, "sh", "-c", "mount -t tmpfs tmpfs /mnt && setpriv --reuid=65534 true"],
    { encoding: "utf8" },
  );
  return status !== 0 && `no namespace can be had: ${stderr ?? program}`;
}

/** Children that have ended or run, of which nobody knows any more. */
function zombies(parent: number): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    let text: string;
    try {
      text = readFileSync(`/proc/${name}/stat`, "latin1");
    } catch {
      // It has gone since it was named.
      return false;
    }
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]) === parent;
  });
}

describe("what a container runs, as process 1 of a namespace", {
  skip: lackingNamespace() || lackingPrograms("nsenter"),
}, () => {
  test("it serves, is well, reaps what programs leave behind, drains and ends with 0", async (t) => {
    const { path } = await pack(sourceTree(t));
    const home = folder(t, {});
    writeFileSync(join(home, "package.json"), "{}");
    await install(home, path);
    const services = {
      echo: { plugin: "echo", listen: "tcp://127.0.0.1:0" },
      job: {
        plugin: "exec",
        listen: "tcp://127.0.0.1:0",
        options: { command: ["sh", "-c", "sleep 0.2 </dev/null >/dev/null 2>&1 & echo bye"] },
      },
    };
    writeFileSync(join(home, "portico.json"), JSON.stringify({ services }));
    chmodSync(home, 0o755);
    for (const runtime of RUNTIMES) {
      const text = read("docker", `Dockerfile.${runtime}`);
      const binary = realpathSync(
        runtime === "node" ? join(MODULES, "node/bin/node") : join(MODULES, ".bin", runtime),
      );
      const inside = [...UNSHARE, "sh", "-c", CONTAINER, "sh", home, binary, runtime];
      assert.deepEqual(wordsOf(text, "CMD"), ["run", "/srv"]);
      const [first, ...rest] = [...AS_NOBODY, ...wordsOf(text, "ENTRYPOINT")];
      const server = new ServerProcess("/srv", { through: inside, portico: [first!, ...rest] });
      let init = 0;
      t.after(async () => {
        // Whoever becomes another user does not end with its parent.
        if (init !== 0 && runs(init)) sendSignal(init, "SIGKILL");
        await server.kill();
      });
      await server.record({ event: "ready" });
      init = children(server.pid)[0]!;
      assert.match(
        readFileSync(`/proc/${init}/status`, "utf8"),
        new RegExp(`^Uid:\\s${NOBODY}\\s`, "m"),
      );
      const entered = (words: readonly string[]) =>
        spawnSync("nsenter", [
          ...["--target", String(init), "--pid", "--mount", "sh", "-c", 'cd /srv; exec "$@"', "sh"],
          ...AS_NOBODY,
          ...words,
        ], { encoding: "utf8" });
      const well = entered(wordsOf(text, "HEALTHCHECK"));
      assert.equal(well.status, 0, `${runtime}: ${well.stdout}${well.stderr}`);
      for (let i = 0; i < 5; i++) {
        const peer = await dial(t, server.endpoint("job", "tcp"));
        await peer.hears("bye\n");
        peer.end();
      }
      await until(() => `${runtime}: no zombie`, () => zombies(init).length === 0);
      const words = wordsOf(text, "HEALTHCHECK").map((word) =>
        word === "health" ? "suspend" : word
      );
      assert.equal(entered(words).status, 0);
      assert.equal(
        entered(wordsOf(text, "HEALTHCHECK")).status,
        1,
        "one that is suspended is not well",
      );
      const resumed = words.map((word) => word === "suspend" ? "resume" : word);
      assert.equal(entered(resumed).status, 0);
      const peer = await dial(t, server.endpoint("echo", "tcp"));
      await peer.echo("hello");
      sendSignal(init, "SIGTERM");
      await server.record({ event: "drain" });
      await peer.echo("still there");
      peer.end();
      assert.equal(await server.ended(), 0, `${runtime}: ${server.errors}`);
    }
  });
});
