/** What inetd starts for a connection: echo of what comes, until it ends. */
import process from "node:process";

process.stdin.pipe(process.stdout);
