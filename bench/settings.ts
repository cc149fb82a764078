/** How thorough a run is. */
export interface Settings {
  /** Pairs of fresh processes: no two of the same program are equally quick. */
  readonly pairs: number;
  /** Laps of each process of a pair, in turn. */
  readonly rounds: number;
  /** Milliseconds of a lap, and of the laps before the first that counts. */
  readonly lap: number;
  readonly warmUp: number;
  /** Pairs of processes for the memory, starts of each side. */
  readonly memories: number;
  readonly starts: number;
  /** Bare against bare: the ratios should be 1, and show how much the harness itself wavers. */
  readonly self: boolean;
  /** Another checkout of Portico, which stands where the bare server does: what has a change cost? */
  readonly against?: string | undefined;
}

export const THOROUGH: Settings = {
  pairs: 3,
  rounds: 4,
  lap: 300,
  warmUp: 1_200,
  memories: 6,
  starts: 15,
  self: false,
};

/** Does each case run? Nothing is measured. */
export const SMOKE: Settings = {
  pairs: 1,
  rounds: 1,
  lap: 50,
  warmUp: 50,
  memories: 1,
  starts: 1,
  self: false,
};

export const QUICK: Settings = {
  pairs: 1,
  rounds: 3,
  lap: 250,
  warmUp: 1_000,
  memories: 2,
  starts: 5,
  self: false,
};
