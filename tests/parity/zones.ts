/** What the name server of every house says, by addresses that clients of cases come from. */
import type { Zone } from "../support/name-server.ts";

export const ZONES: Readonly<Record<string, Zone>> = {
  "127.0.0.11 PTR": { values: ["good.example.org"] },
  "good.example.org A": { values: ["127.0.0.11"] },
  // It claims a name whose owner knows nothing of it.
  "127.0.0.12 PTR": { values: ["good.example.org"] },
  "127.0.0.13 PTR": { values: ["guest.in.example.org"] },
  "guest.in.example.org A": { values: ["127.0.0.13"] },
  "127.0.0.14 PTR": { silent: true },
  "127.0.0.17 PTR": { silent: true },
  "db.example.org A": { values: ["127.0.0.15"] },
};
