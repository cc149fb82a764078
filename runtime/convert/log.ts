/** What is logged, and where: `log_type`, `log_on_success` and `log_on_failure` of xinetd.conf(5). */

/** Their words that are ours, too; `values/field-words.ts` has what they stand for. */
const WORDS: Readonly<Record<string, string>> = {
  HOST: "host",
  DURATION: "duration",
  TRAFFIC: "traffic",
  EXIT: "exit",
};
const SUCCESS: readonly string[] = ["open", "close"];
const FAILURE: readonly string[] = ["refuse"];

type Get = (name: string) => readonly string[] | undefined;

/** The sink of a service; undefined where nothing is said. */
export function logOf(get: Get, remark: (text: string) => void): object | undefined {
  const [success, failure] = [get("log_on_success"), get("log_on_failure")];
  const [kind, first, second, third] = get("log_type") ?? [];
  if (kind === undefined && success === undefined && failure === undefined) return undefined;
  const words = [...new Set([...success ?? [], ...failure ?? []])];
  for (const word of words) {
    if (word === "USERID") remark("USERID asks the client's ident server (RFC 1413)");
    if (word === "PID") remark("PID: records have no number of the program's process");
  }
  const fields = words.flatMap((word) => WORDS[word] ?? []);
  // Errors, and what becomes of the service itself, belong to the log in any case.
  const others = ["listening", "ready", "reload", "stop", "error", "log", "worker", "drain"];
  const one = (success === undefined) !== (failure === undefined);
  return {
    ...placeOf(kind, [first, second, third], remark),
    ...(one && { events: [...success === undefined ? FAILURE : SUCCESS, ...others] }),
    ...(words.length > 0 && { fields }),
  };
}

function placeOf(
  kind: string | undefined,
  [first, second, third]: readonly (string | undefined)[],
  remark: (text: string) => void,
): object {
  if (kind === "FILE" && first !== undefined) {
    const [soft, hard] = [sizeOf(second), sizeOf(third)];
    return {
      type: "file",
      path: first,
      ...(soft !== undefined && { warnSize: soft }),
      ...(hard !== undefined && { maxSize: hard }),
    };
  }
  if (second !== undefined) {
    remark(`log_type SYSLOG … ${second}: records have a severity of their own`);
  }
  return { type: "syslog", facility: first ?? "daemon" };
}

/** `K` and `M` are of 1024. */
function sizeOf(text: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d+)([kKmM]?)$/.exec(text ?? "") ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (unit === "" ? 1 : /k/i.test(unit!) ? 1024 : 1024 ** 2);
}
