/** `flags = SENSOR` and `deny_time` of xinetd.conf(5). */

type Get = (name: string) => readonly string[] | undefined;

/** What takes the place of the program: who comes is refused, and shut out of all services for a time. */
export function sensorOf(get: Get, remark: (text: string) => void): object {
  const [text = "NEVER"] = get("deny_time") ?? [];
  if (text.toUpperCase() === "FOREVER") return { plugin: "sensor", ban: { for: "none" } };
  const minutes = /^[1-9]\d*$/.test(text) ? Number(text) : 0;
  if (minutes > 0) return { plugin: "sensor", ban: { for: `${minutes}m` } };
  if (text !== "0" && text.toUpperCase() !== "NEVER") {
    remark(`deny_time: ${text} is neither FOREVER nor NEVER nor a number of minutes`);
  }
  remark("SENSOR without a deny_time: who comes is refused, which is logged, and nothing more");
  return { plugin: "discard", access: { allow: [] } };
}
