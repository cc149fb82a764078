/** Has every module of this thread that imports `portico` get the module at `url`. */
export function provide(url: string): void {
  Bun.plugin({
    name: "portico",
    setup(build) {
      build.module("portico", async () => ({ loader: "object", exports: await import(url) }));
    },
  });
}
