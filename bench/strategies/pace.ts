/** How thorough a run is. Times in milliseconds. */
export interface Pace {
  /** Laps of each server of a set, in turn; sets of fresh servers. */
  readonly laps: number;
  readonly sets: number;
  readonly cpuLap: number;
  readonly echoLap: number;
  readonly warmUp: number;
  /** Sessions one by one with a rest before each, and without. */
  readonly rested: number;
  readonly serial: number;
  /** How long sessions are made as fast as they go. */
  readonly rush: number;
  readonly reloads: number;
  readonly settle: number;
  /** What a service lives through, and how many connections meanwhile. */
  readonly life: {
    readonly reloads: number;
    readonly kills: number;
    readonly upgrades: number;
    readonly connections: number;
  };
  /** Async in the place of every strategy: the ratios should be 1, and show how much the harness wavers. */
  readonly self: boolean;
}

export const THOROUGH: Pace = {
  laps: 7,
  sets: 3,
  cpuLap: 1_500,
  echoLap: 400,
  warmUp: 1_200,
  rested: 20,
  serial: 60,
  rush: 5_000,
  reloads: 15,
  settle: 1_500,
  life: { reloads: 20, kills: 10, upgrades: 6, connections: 8_000 },
  self: false,
};

export const QUICK: Pace = {
  laps: 3,
  sets: 1,
  cpuLap: 500,
  echoLap: 250,
  warmUp: 600,
  rested: 5,
  serial: 15,
  rush: 1_500,
  reloads: 4,
  settle: 800,
  life: { reloads: 4, kills: 2, upgrades: 3, connections: 1_200 },
  self: false,
};
