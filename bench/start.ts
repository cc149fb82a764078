/** From the start of the process to the line that says that it listens. */
import type { Case } from "./case.ts";
import { order } from "./pair.ts";
import type { Round, Sample } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import { Server, type Side } from "./server.ts";
import type { Settings } from "./settings.ts";

/** Portico says `listening` for each endpoint, and then `ready`. */
const LISTENS = '"event":"listening"';
const READY = '"event":"ready"';
const PATIENCE = 20_000;

/** Milliseconds from its start until a server says that it is ready. @throws with its own words when it ends */
export async function ready(server: Server): Promise<number> {
  const line = server.subject.by === "portico" ? READY : LISTENS;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(() => reject(new Error("it is not ready in time")), PATIENCE);
  let text = "";
  server.child.stdout?.on("data", (chunk: string) => {
    text += chunk;
    if (text.includes(line)) resolve(performance.now() - server.began);
  });
  server.child.once("close", () => reject(new Error(`it has ended\n${server.errors}`.trim())));
  return await promise.finally(() => clearTimeout(timer));
}

/** Has it end by itself: who is killed leaves no compiled code for the next start. */
async function end({ child }: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE);
  child.once("exit", () => resolve());
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  else resolve();
  await promise.finally(() => clearTimeout(timer));
}

async function once(
  runtime: Runtime,
  side: Side,
  of: Case,
  settings: Settings,
): Promise<Sample> {
  const server = await Server.side(runtime, side, of, settings, { level: "info" });
  try {
    const cost = await ready(server);
    await end(server);
    return { cost };
  } finally {
    await server.stop();
  }
}

/** Measures a case; the first starts, which also fill the kernel's file cache, do not count. */
export async function start(runtime: Runtime, of: Case, settings: Settings): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = -1; i < settings.starts; i++) {
    const samples: Partial<Record<Side, Sample>> = {};
    for (const side of order(i + 1)) {
      samples[side] = await once(runtime, side, of, settings);
    }
    if (i >= 0) rounds.push({ base: samples.base!, portico: samples.portico! });
  }
  return rounds;
}
