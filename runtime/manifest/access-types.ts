/** Who is served, as types: those of `access-schema.ts`. */

/** Who is served. */
export interface ManifestAccess {
  /** All when silent, nobody when empty. */
  allow?: (string | ManifestRule)[] | undefined;
  deny?: (string | ManifestRule)[] | undefined;
  /** Who is never banned, by no service: as the `from` of a rule. */
  never?: string[] | undefined;
}

/** Who is served by one service: lists in the place of those of `defaults`, or what is added and taken away. */
export interface ManifestServiceAccess extends ManifestAccess {
  "allow+="?: (string | ManifestRule)[] | undefined;
  "allow-="?: (string | ManifestRule)[] | undefined;
  "deny+="?: (string | ManifestRule)[] | undefined;
  "deny-="?: (string | ManifestRule)[] | undefined;
}

/** A rule with terms; without them it is its `from` alone. */
export interface ManifestRule {
  /**
   * `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, `db.example.org`, `.example.org`, `@GROUP`, `file:PATH`,
   * `user:NAME`, `group:NAME`, `uid:N`, `gid:N`.
   */
  from: string | string[];
  /** When it holds, as `Mon-Fri 08:00-18:00 Europe/Paris`. */
  times?: string | string[] | undefined;
  /** Sessions end, too, when it does not hold any more, or begins to deny. */
  end?: boolean | undefined;
  /** Of an `allow`: what the plugin finds in {@link Session.ruleOptions}; for `exec` variables. */
  options?: Record<string, string> | undefined;
}
