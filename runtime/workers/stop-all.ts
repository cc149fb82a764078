import type { WorkerHandle } from "./handle.ts";

/** Ends workers; those that take longer than `limit` ms are killed. */
export async function stopAll(handles: ReadonlySet<WorkerHandle>, limit: number): Promise<void> {
  const left = [...handles];
  for (const handle of left) {
    // One that is starting has nothing to lose.
    if (handle.state === "starting") handle.kill("stop");
    else handle.stop();
  }
  const late = setTimeout(() => {
    for (const handle of handles) handle.kill("drain");
  }, limit);
  await Promise.all(left.map((handle) => handle.over));
  clearTimeout(late);
}
