/** Who wants the reading to stop; it goes on when nobody does. */
export const PAUSE = {
  phase: 1,
  hook: 2,
  plugin: 4,
  reader: 8,
  backlog: 16,
  pipe: 32,
  tls: 64,
} as const;

/** All of them, but for TLS: what comes before it is nobody's to read. */
export const ALL = 63;
