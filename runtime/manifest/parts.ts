/**
 * What few manifests speak of, and the start of the others does not read. It is there before a manifest is
 * checked that speaks of it.
 */

/** A part, once {@link loadParts} has seen that it is needed. */
class Part<Modules> {
  #modules: Modules | undefined = undefined;
  readonly #load: () => Promise<Modules>;

  constructor(load: () => Promise<Modules>) {
    this.#load = load;
  }

  async load(): Promise<void> {
    this.#modules ??= await this.#load();
  }

  /** Undefined where no manifest has spoken of it. */
  get loaded(): Modules | undefined {
    return this.#modules;
  }

  /** For what is only asked when a manifest does. */
  get modules(): Modules {
    if (this.#modules === undefined) throw new Error("a part of the manifest was not loaded");
    return this.#modules;
  }
}

interface TlsModules {
  readonly schema: typeof import("./tls-schema.ts");
  readonly plans: typeof import("./tls.ts");
}

interface MatchModules {
  readonly schema: typeof import("./match-schema.ts");
  readonly plans: typeof import("./match.ts");
}

export const TLS: Part<TlsModules> = new Part(async () => {
  const [schema, plans] = await Promise.all([import("./tls-schema.ts"), import("./tls.ts")]);
  return { schema, plans };
});

export const MATCH: Part<MatchModules> = new Part(async () => {
  const [schema, plans] = await Promise.all([import("./match-schema.ts"), import("./match.ts")]);
  return { schema, plans };
});

/** Loads what a manifest speaks of. */
export async function loadParts(manifest: unknown): Promise<void> {
  await Promise.all(partsOf(manifest).map((part) => part.load()));
}

/** What a manifest speaks of, right or wrong as it may be. */
export function partsOf(manifest: unknown): (typeof TLS | typeof MATCH)[] {
  const { defaults, services } = Object(manifest) as Record<string, unknown>;
  const blocks = [defaults, ...Object.values(Object(services))].map((each) =>
    typeof each === "object" ? Object(each) : {}
  );
  return [
    ...(blocks.some(speaksOfTls) ? [TLS] : []),
    ...(blocks.some(({ match }) => match !== undefined) ? [MATCH] : []),
  ];
}

/** For who asks about all that a manifest may say. */
export async function loadAllParts(): Promise<void> {
  await Promise.all([TLS.load(), MATCH.load()]);
}

function speaksOfTls({ tls, listen }: Readonly<Record<string, unknown>>): boolean {
  return tls !== undefined || [listen].flat().some((each) => {
    const { endpoint = each, tls } = Object(each) as Record<string, unknown>;
    return tls !== undefined || /(?:tls|https):/i.test(String(endpoint));
  });
}
