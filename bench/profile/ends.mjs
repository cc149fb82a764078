/** Loaded before a bare server: ended by SIGTERM it writes its profile, as Portico does. */
import process from "node:process";

process.once("SIGTERM", () => process.exit(0));
