import * as v from "valibot";
import type { ListenPlan, Plan, ServicePlan, SinkPlan } from "../core/plan.ts";
import { lookupAccount } from "../identity/accounts.ts";
import { AccessPlans, checkAccounts } from "./access.ts";
import { BannerTexts } from "./banner.ts";
import { checkDatagramLimits } from "./byte-limits.ts";
import { askingUsers, BANS_MAX, bansFile, mergeBan } from "./bans.ts";
import { addIssues, placeOf } from "./issues.ts";
import { readProxyProtocol } from "./proxy-protocol.ts";
import { checkHttpLimits, checkLimitNames, mergeConcurrency, mergeLimits } from "./limits.ts";
import { Endpoints } from "./listen.ts";
import { checkOverflow } from "./overflow.ts";
import { checkStdio, namesStdio } from "./inherited.ts";
import { mergeList, type Placed, placed } from "./lists.ts";
import { MATCH, TLS } from "./parts.ts";
import { checkProcess, identityOf, processOf } from "./process.ts";
import type { Path } from "../values/problem.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { isAdmin, isSensor } from "../modules/resolve.ts";
import { checkReach, MATCHING, pluginOf } from "./plugin-place.ts";
import {
  type CheckedDefaults,
  type CheckedManifest,
  type CheckedService,
  manifest,
  PLUGIN,
} from "./schema.ts";
import { resolverOf } from "./resolver.ts";
import { SinkPlans } from "./sinks.ts";
import { folderAt, folderOf, Problems, type Source } from "./source.ts";
import type { TlsPlans } from "./tls.ts";
import { checkTyped } from "./typed.ts";

/**
 * Makes a plan of a manifest: checks it, merges its defaults, resolves its names and paths. Nothing
 * is opened and no plugin is imported. What the manifest speaks of was loaded: see `parts.ts`.
 *
 * @param sinks the types of sinks that a manifest can name.
 * @param log where records go when the manifest is silent.
 * @throws ManifestError with everything that is wrong. What the schema accepts is looked through to
 * the end even where it refuses another part.
 */
export function expand(source: Source, sinks: SinkCatalog, log: Log = "console"): Plan {
  const problems = new Problems(source);
  const { result } = checkTyped(
    source,
    [],
    source.value,
    (value) => v.safeParse(manifest, value, { abortPipeEarly: true }),
    ({ issues = [] }) => issues.map(placeOf),
  );
  addIssues(problems, result.issues ?? []);
  const refused = (path: Path): boolean =>
    result.issues?.some((issue) => path.every((key, index) => issue.path?.[index]?.key === key)) ??
      false;
  const plan = isObject(result.output)
    ? new Expander(acceptedParts(result.output, refused), sinks, problems, refused, log).plan()
    : undefined;
  problems.throwIfAny();
  return plan!;
}

type Log = NonNullable<CheckedService["log"]>;
type LogItem = Exclude<Log, readonly unknown[]>;

/** What is left of a manifest without the parts that the schema has refused. */
interface AcceptedParts {
  readonly plugins: Readonly<Record<string, string>>;
  readonly sinks: ConstructorParameters<typeof SinkPlans>[2];
  readonly defaults: CheckedDefaults;
  readonly services: readonly (readonly [string, Partial<CheckedService>])[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly top: Partial<
    Pick<CheckedManifest, "control" | "resolver" | "user" | "group" | "umask" | "bans">
  >;
}

function acceptedParts(
  output: Partial<CheckedManifest>,
  refused: (path: Path) => boolean,
): AcceptedParts {
  const keep = <T>(block: Record<string, T> | undefined, path: Path): [string, T][] =>
    isObject(block) ? Object.entries(block).filter(([name]) => !refused([...path, name])) : [];
  return {
    plugins: Object.fromEntries(keep(output.plugins, ["plugins"])),
    sinks: {
      ...Object.fromEntries(Object.keys(output.sinks ?? {}).map((name) => [name, undefined])),
      ...Object.fromEntries(keep(output.sinks, ["sinks"])),
    },
    defaults: Object.fromEntries(keep<unknown>(output.defaults, ["defaults"])) as CheckedDefaults,
    services: Object.entries(output.services ?? {}).filter(([, service]) => isObject(service)).map((
      [name, service],
    ) => [
      name,
      Object.fromEntries(keep<unknown>(service, ["services", name])),
    ]),
    groups: Object.fromEntries(keep(output.groups, ["groups"])),
    top: Object.fromEntries(keep<unknown>(output as Record<string, unknown>, [])),
  };
}

/** Where an admin is reached that is silent about it: by nobody but its own user. */
const ADMIN_LISTEN: NonNullable<CheckedService["listen"]> = {
  endpoint: "http+unix:./admin.sock",
  mode: 0o600,
};

class Expander {
  readonly #manifest: AcceptedParts;
  readonly #problems: Problems;
  readonly #refused: (path: Path) => boolean;
  readonly #endpoints: Endpoints;
  readonly #sinks: SinkPlans;
  /** Where records go of a service that says nothing of it; and what these sinks come to. */
  readonly #defaultLog: readonly Placed<LogItem>[];
  readonly #shared = new Map<Placed<LogItem>, SinkPlan>();
  readonly #access: AccessPlans;
  readonly #banners: BannerTexts;
  /** Undefined where nobody speaks of it. */
  readonly #tls: TlsPlans | undefined;
  /** Who need not listen: others hand them connections. */
  readonly #targets: ReadonlySet<string>;

  constructor(
    manifest: AcceptedParts,
    catalog: SinkCatalog,
    problems: Problems,
    refused: (path: Path) => boolean,
    log: Log,
  ) {
    this.#manifest = manifest;
    this.#problems = problems;
    this.#refused = refused;
    this.#endpoints = new Endpoints(problems);
    this.#banners = new BannerTexts(problems);
    const { plans } = TLS.loaded ?? {};
    this.#tls = plans && new plans.TlsPlans(problems);
    const stdio = manifest.services.some(([, { listen, disable }]) =>
      disable !== true && namesStdio(listen)
    );
    this.#sinks = new SinkPlans(problems, catalog, manifest.sinks, manifest.plugins, stdio);
    this.#defaultLog = placed(manifest.defaults.log ?? log, ["defaults", "log"])!;
    for (const one of this.#defaultLog) this.#shared.set(one, this.#sinks.one(one.item, one.path));
    this.#targets = MATCH.loaded?.plans.targetsOf(manifest.services) ?? new Set();
    this.#access = new AccessPlans(problems, manifest.groups, lookupAccount);
    this.#access.read([this.#defaultAccess]);
    checkLimitNames(problems, manifest.defaults.limits, ["defaults"]);
  }

  get #defaultAccess(): { access: CheckedService["access"]; path: Path } {
    return { access: this.#manifest.defaults.access, path: ["defaults", "access"] };
  }

  plan(): Plan {
    const { services, top } = this.#manifest;
    const { file } = this.#problems.source;
    const bans = bansFile(folderOf(this.#problems.source), top.bans?.file);
    const plans = (disabled: boolean): ServicePlan[] =>
      askingUsers(
        services.filter(([, { disable = false }]) => disable === disabled)
          .map(([name, service]) => this.#service(name, service)),
        top.bans !== undefined,
      );
    const enabled = plans(false);
    const every = [...enabled, ...plans(true)];
    const all = MATCH.loaded?.plans.withMatches(
      this.#problems,
      services,
      every,
      this.#manifest.plugins,
    ) ?? every;
    return {
      file,
      services: all.slice(0, enabled.length),
      disabled: all.slice(enabled.length),
      bans: {
        ...(bans !== undefined && { file: bans }),
        most: top.bans?.most ?? BANS_MAX,
        never: this.#access.never([
          this.#defaultAccess,
          ...services.map(([name, { access }]) => ({ access, path: ["services", name, "access"] })),
        ]),
      },
      control: this.#control(top.control),
      identity: identityOf(top),
      umask: top.umask,
      resolver: resolverOf(top.resolver),
      // Behind the services, which have named them.
      files: this.#access.files,
    };
  }

  /** Text is taken too: so a variable that is `false` is no path. */
  #control(control: AcceptedParts["top"]["control"]): Plan["control"] {
    const { references = [] } = this.#problems.source;
    const variable = references.some(({ path, whole }) => whole && path.join() === "control");
    if (control === "false" && variable) return false;
    return typeof control === "string" ? this.#endpoints.control(control, ["control"]) : control;
  }

  /** A key that is missing has been told of already: what stands in its place is never used. */
  #service(name: string, service: Partial<CheckedService>): ServicePlan {
    const { defaults } = this.#manifest;
    const path = ["services", name];
    const { plugin, options } = this.#plugin(service, path);
    const sensor = isSensor(plugin);
    const admin = isAdmin(plugin);
    // What does not run may have the address of another one, whose place it takes some day.
    const endpoints = service.disable === true ? new Endpoints(this.#problems) : this.#endpoints;
    const silent = admin ? ADMIN_LISTEN : this.#targets.has(name) ? [] : undefined;
    const endpointPlans = this.#listen(service.listen, silent, endpoints, path);
    const said = { defaults: defaults.tls, service: service.tls };
    const { listen, ...secured } = this.#tls?.read(said, endpointPlans, path) ??
      { listen: endpointPlans };
    checkLimitNames(this.#problems, service.limits, path);
    checkHttpLimits(this.#problems, service, listen, path);
    checkDatagramLimits(this.#problems, service, listen, path);
    // Nobody is ever served by a sensor, nor by one that hands its peers on: it needs no workers.
    const concurrency = mergeConcurrency([
      sensor || service.match !== undefined ? undefined : defaults.concurrency,
      service.concurrency,
    ]);
    const ban = mergeBan(this.#problems, defaults.ban, service.ban, sensor, path);
    const { strategy } = concurrency;
    // What is said of a strategy that is not known cannot be judged.
    if (![["defaults"], path].some((block) => this.#refused([...block, "concurrency"]))) {
      checkProcess(this.#problems, service, strategy, path, identityOf(this.#manifest.top));
      checkStdio(this.#problems, listen, strategy, path);
      checkReach(plugin, strategy, this.#problems, path);
    }
    const access = this.#access.read([
      this.#defaultAccess,
      { access: service.access, path: [...path, "access"] },
    ]);
    checkAccounts(this.#problems, access, listen, path);
    const proxyProtocol = readProxyProtocol(
      service,
      path,
      (texts, place) => this.#access.about(texts, place),
    );
    const limits = mergeLimits([defaults.limits, service.limits], strategy);
    checkOverflow(this.#problems, service, listen, limits, path);
    const banner = this.#banners.read(defaults.banner, service.banner, listen, path);
    return {
      name,
      plugin,
      admin,
      listen,
      concurrency,
      log: this.#logOf(service, path),
      options,
      limits,
      access,
      ...(banner !== undefined && { banner }),
      ...(ban !== undefined && { ban }),
      ...(sensor && { sensor }),
      ...(proxyProtocol !== undefined && { proxyProtocol }),
      ...secured,
      processes: processOf(service, identityOf(this.#manifest.top), strategy),
      folder: folderAt(this.#problems.source, path),
    };
  }

  /** What is as `defaults` has it, is the same. */
  #logOf(service: Partial<CheckedService>, path: Path): readonly SinkPlan[] {
    const read = (key: "log" | "log+=" | "log-=") => placed(service[key], [...path, key]);
    const words = { set: read("log"), more: read("log+="), less: read("log-=") };
    const list = mergeList(this.#defaultLog, words, [...path, "log"], this.#problems) ?? [];
    return list.map((one) => this.#shared.get(one) ?? this.#sinks.one(one.item, one.path));
  }

  #plugin(service: Partial<CheckedService>, path: Path): ReturnType<typeof pluginOf> {
    const { plugin, match } = service;
    const refused = ["plugin", "match"].some((key) => this.#refused([...path, key]));
    if (plugin === undefined && match === undefined && !refused) {
      this.#problems.add(path, 'no "plugin"', `"plugin": ${PLUGIN}`);
    }
    return match === undefined
      ? pluginOf(service, this.#manifest.plugins, this.#problems, path)
      : MATCHING;
  }

  /** @param silent where one that says nothing of it listens; undefined where it has to. */
  #listen(
    listen: CheckedService["listen"],
    silent: CheckedService["listen"],
    endpoints: Endpoints,
    path: Path,
  ): ListenPlan[] {
    const place = [...path, "listen"];
    if (listen !== undefined) return endpoints.read(listen, place);
    if (silent !== undefined) return endpoints.read(silent, place);
    if (!this.#refused(place)) {
      this.#problems.add(path, 'no "listen"', '"listen": where it listens');
    }
    return [];
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
