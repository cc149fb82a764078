/** Who wants the reading to stop; it goes on when nobody does. */
export const PAUSE = { phase: 1, hook: 2, plugin: 4, reader: 8, backlog: 16, pipe: 32 } as const;

/** All of them. */
export const ALL = 63;
