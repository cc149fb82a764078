/** What inetd starts for a connection: echo of what comes, until it ends. */
for await (const chunk of Bun.stdin.stream()) await Bun.write(Bun.stdout, chunk);
