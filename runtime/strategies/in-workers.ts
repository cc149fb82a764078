import type { StartExecutor } from "../services/contract.ts";

/** Makes the start of an executor with workers, whose modules a service without them need not load. */
export function inWorkers(
  launch: "launchThread" | "launchProcess",
  once: boolean,
): StartExecutor {
  return async (input) => {
    const [{ startPool }, launches] = await Promise.all([
      import("../workers/executor.ts"),
      import("../workers/launch.ts"),
    ]);
    return await startPool({ launch: launches[launch], once })(input);
  };
}
