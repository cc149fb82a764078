/** `match` of services, as plans: who is told apart by what, and whether that can be. */
import { kindOf } from "../core/endpoint.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { MatchCondition, MatchPlan, MatchRoute } from "../core/prologue/match-plan.ts";
import { resolvePlugin } from "../modules/resolve.ts";
import { didYouMean } from "../values/nearest.ts";
import { type Path, show } from "../values/problem.ts";
import { isInherited } from "./inherited.ts";
import type { CheckedRoute } from "./match-schema.ts";
import { describeCondition, shadowOf } from "./match-shadows.ts";
import type { CheckedService } from "./schema.ts";
import { fileAt, type Problems } from "./source.ts";

/** How long a peer may take to say enough, in ms. */
const WAIT = 3000;

type Services = readonly (readonly [string, Partial<CheckedService>])[];

/** What a service that serves nobody itself has no use for. */
const ELSEWHERE = ["plugin", "options", "concurrency"] as const;

/** The names of services that others hand connections. */
export function targetsOf(services: Services): ReadonlySet<string> {
  return new Set(
    services.flatMap(([, { match }]) =>
      match === undefined ? [] : routesOf(match).flatMap(({ service, otherwise }) => {
        return [service, otherwise].filter((name) => name !== undefined);
      })
    ),
  );
}

function routesOf(match: NonNullable<CheckedService["match"]>): readonly CheckedRoute[] {
  return Array.isArray(match) ? match : match.routes;
}

/** Plans with what their services match, and with who is reached by that. */
export function withMatches(
  problems: Problems,
  services: Services,
  plans: readonly ServicePlan[],
  shorts: Readonly<Record<string, string>>,
): ServicePlan[] {
  const reached = targetsOf(services);
  const said = new Map(services);
  return plans.map((plan) => {
    const { match } = said.get(plan.name)!;
    const own = match === undefined
      ? undefined
      : new Reader(problems, said, plans, shorts, plan).read(said.get(plan.name)!);
    return {
      ...plan,
      ...(own !== undefined && { match: own }),
      ...(reached.has(plan.name) && { reached: true as const }),
    };
  });
}

class Reader {
  readonly #problems: Problems;
  readonly #said: ReadonlyMap<string, Partial<CheckedService>>;
  readonly #plans: readonly ServicePlan[];
  readonly #shorts: Readonly<Record<string, string>>;
  readonly #plan: ServicePlan;
  readonly #path: Path;

  constructor(
    problems: Problems,
    said: ReadonlyMap<string, Partial<CheckedService>>,
    plans: readonly ServicePlan[],
    shorts: Readonly<Record<string, string>>,
    plan: ServicePlan,
  ) {
    this.#problems = problems;
    this.#said = said;
    this.#plans = plans;
    this.#shorts = shorts;
    this.#plan = plan;
    this.#path = ["services", plan.name];
  }

  read(service: Partial<CheckedService>): MatchPlan {
    const match = service.match!;
    this.#checkService(service);
    const list = Array.isArray(match);
    const base = [...this.#path, "match", ...(list ? [] : ["routes"])];
    const routes: MatchRoute[] = [];
    for (const [index, route] of routesOf(match).entries()) {
      const read = this.#route(route, [...base, index]);
      if (read === undefined) continue;
      const shadow = shadowOf(read.when, routes);
      if (shadow !== undefined) {
        this.#problems.add(
          [...base, index],
          `${describeCondition(read.when)}, which is never reached`,
          `it before ${shadow}, or nowhere: the first route that a peer can be is its own`,
        );
      }
      routes.push(read);
    }
    return { routes, wait: (list ? undefined : match.wait) ?? WAIT };
  }

  #checkService(service: Partial<CheckedService>): void {
    for (const key of ELSEWHERE) {
      if (service[key] === undefined) continue;
      this.#problems.add(
        [...this.#path, key],
        `"match" and ${show(key)}`,
        `one of both: a service with "match" serves nobody itself; say it of those that it leads to`,
        { part: "key" },
      );
    }
    for (const { endpoint, text, tls } of this.#plan.listen) {
      const stream = isInherited(endpoint) || kindOf(endpoint.transport) === "stream";
      if (stream && tls === undefined && endpoint.transport !== "tls") continue;
      this.#problems.add(
        [...this.#path, "listen"],
        `"match", and ${show(text)}`,
        stream
          ? `tcp:// in its place: TLS is spoken by the service that a route leads to, with its own "tls"`
          : "streams only, in clear: tcp, unix, systemd, fd",
      );
    }
  }

  #route(route: CheckedRoute, path: Path): MatchRoute | undefined {
    const { when, service, otherwise, tls } = route;
    const name = otherwise ?? service;
    const right = otherwise === undefined
      ? when !== undefined && service !== undefined
      : when === undefined && service === undefined;
    if (!right || name === undefined) {
      this.#problems.add(
        path,
        `${Object.keys(route).map(show).join(" and ") || "nothing"}`,
        'both "when" and "service", or "otherwise" alone',
      );
      return undefined;
    }
    const condition = this.#condition(when, path);
    const target = this.#target(name, [...path, otherwise === undefined ? "service" : "otherwise"]);
    if (condition === undefined || target === undefined) return undefined;
    const text = describeCondition(condition);
    return { when: condition, text, service: name, tls: this.#tls(condition, target, tls, path) };
  }

  #condition(when: CheckedRoute["when"], path: Path): MatchCondition | undefined {
    if (when === undefined) return { kind: "otherwise" };
    if (typeof when === "string") return { kind: when };
    const { tls, prefix, hex, plugin } = when;
    const place = [...path, "when"];
    if ([tls, prefix, hex, plugin].filter((each) => each !== undefined).length !== 1) {
      const keys = Object.keys(when).map(show).join(" and ");
      this.#problems.add(place, keys || "nothing", 'one of "tls", "prefix", "hex", "plugin"');
      return undefined;
    }
    if (tls !== undefined) {
      return {
        kind: "tls",
        ...(tls.sni !== undefined && {
          sni: [tls.sni].flat().map((name: string) => name.toLowerCase()),
        }),
        ...(tls.alpn !== undefined && { alpn: [tls.alpn].flat() }),
      };
    }
    if (plugin !== undefined) return this.#module(plugin, [...place, "plugin"]);
    const prefixes = prefix !== undefined
      ? [prefix].flat().map((text) => hexOf(new TextEncoder().encode(text)))
      : [hex!].flat().map((text) => text.replaceAll(/\s/g, "").toLowerCase());
    return { kind: "prefix", prefixes };
  }

  #module(specifier: string, place: Path): MatchCondition | undefined {
    const { source } = this.#problems;
    const file = Object.hasOwn(this.#shorts, specifier) ? source.file : fileAt(source, place);
    const found = resolvePlugin(specifier, this.#shorts, file);
    if ("url" in found) return { kind: "plugin", specifier, url: found.url };
    const { received, expected, hint } = found;
    this.#problems.add(place, received, expected, { code: "PLUGIN_NOT_FOUND", hint });
    return undefined;
  }

  #target(name: string, place: Path): ServicePlan | undefined {
    const target = this.#plans.find((plan) => plan.name === name);
    const names = this.#plans.map((plan) => plan.name).filter((each) => each !== this.#plan.name);
    const wrong = (received: string, expected: string, hint?: string): undefined => {
      this.#problems.add(place, received, expected, { hint });
    };
    if (target === undefined) {
      return wrong(
        show(name),
        `a service of this manifest: ${names.join(", ") || "there is no other"}`,
        didYouMean(name, names),
      );
    }
    if (this.#said.get(name)?.match !== undefined) {
      return wrong(
        `${show(name)}, which has "match" itself`,
        "a service that serves: say its routes here",
      );
    }
    if (target.proxyProtocol === undefined) return target;
    return wrong(
      `${show(name)}, which has "proxyProtocol"`,
      'a service without it: "proxyProtocol" beside "match" tells all of them who a peer is',
    );
  }

  /** Whether the target ends TLS: never by accident in clear, never by accident twice. */
  #tls(
    { kind }: MatchCondition,
    target: ServicePlan,
    said: boolean | undefined,
    path: Path,
  ): boolean {
    const has = target.tls !== undefined;
    if (said === true && !has) {
      this.#problems.add(
        [...path, "tls"],
        `true, and the service ${show(target.name)} has no "tls"`,
        'false: it gets what comes as it is; or "tls" in that service',
      );
    }
    if (said !== undefined) return said;
    if (has && kind !== "tls") {
      this.#problems.add(
        path,
        `a route to ${show(target.name)}, which has "tls", of those who may speak anything`,
        '"tls": true in the route: it speaks TLS with them from the first byte on; or false: in clear, as for STARTTLS',
      );
    }
    return has && kind === "tls";
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
