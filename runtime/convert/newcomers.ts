/** What xinetd does with newcomers: how many, how fast, under what load, and what it says to them. */
type Get = (name: string) => readonly string[] | undefined;

/** `limits` of a manifest. */
export function limitsOf(get: Get, remark: (text: string) => void): object {
  const number = (name: string, at = 0): number | undefined => {
    const value = Number(get(name)?.[at]);
    return Number.isFinite(value) && value > 0 ? value : undefined;
  };
  const count = (name: string, at = 0): number | undefined => {
    const value = number(name, at);
    return Number.isSafeInteger(value) ? value : undefined;
  };
  const [sessions, perSource] = [count("instances"), count("per_source")];
  const [cps, wait, cpm, load] = [count("cps"), count("cps", 1), count("cpm"), number("max_load")];
  if (cps !== undefined && cpm !== undefined) remark("cps: cpm is the rate, which is one here");
  return {
    ...(sessions !== undefined && { sessions }),
    ...(perSource !== undefined && { perSource }),
    ...(cps !== undefined && { rate: `${cps}/s` }),
    ...(cpm !== undefined && { rate: `${cpm}/m` }),
    ...(cps !== undefined && cpm === undefined && wait !== undefined && { rest: `${wait}s` }),
    ...(load !== undefined && { load }),
  };
}

/** `banner` of a manifest, of files; undefined without one. */
export function bannerOf(get: Get, remark: (text: string) => void): object | undefined {
  const file = (...names: string[]): { file: string } | undefined => {
    const paths = names.map((name) => get(name)?.[0]).filter((path) => path !== undefined);
    if (paths.length > 1) remark(`${names[1]}: ${names[0]} is said alone, where xinetd says both`);
    return paths[0] === undefined ? undefined : { file: paths[0] };
  };
  const [accept, refuse] = [file("banner_success", "banner"), file("banner_fail", "banner")];
  if ((accept ?? refuse) === undefined) return undefined;
  if (get("socket_type")?.[0] === "dgram") {
    remark("banner: nothing but an answer is sent to whom a datagram seems to come from");
    return undefined;
  }
  return { ...(accept !== undefined && { accept }), ...(refuse !== undefined && { refuse }) };
}
