/** Where a control socket is, and whom its folder belongs to. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { checkFolder, controlPath, defaultPaths } from "../../runtime/control/path.ts";
import { withRuntimeFolder } from "./fake.ts";
import { folder } from "../support/folder.ts";
import { lackingRoot } from "../support/permissions.ts";

describe("place of the control socket", () => {
  test("is made of the manifest's path as it was given, in a folder for this user alone", (t) => {
    const home = folder(t, { "shop/portico.json": "", "shop/b.json": "", "run/x": "" });
    symlinkSync("shop", join(home, "link"));
    const run = join(home, "run");
    withRuntimeFolder(run, () => {
      const of = (file: string): string =>
        controlPath({ file: join(home, file), control: undefined })!;
      const place = of("shop/portico.json");
      assert.match(place.slice(run.length), /^\/portico\/shop-[0-9a-f]{13}\.ctl$/);
      assert.equal(statSync(dirname(place)).mode & 0o777, 0o700);
      // By a link, which may be led elsewhere while the server runs, it stays the link's own.
      const byLink = of("link/portico.json");
      assert.match(byLink.slice(run.length), /^\/portico\/link-[0-9a-f]{13}\.ctl$/);
      assert.equal(defaultPaths(join(home, "link/portico.json"))[0], byLink);
      assert.ok(defaultPaths(join(home, "link/portico.json")).includes(place));
      assert.match(of("shop/b.json"), /\/b-[0-9a-f]{13}\.ctl$/);
      assert.equal(defaultPaths(join(home, "shop/portico.json"))[0], place);
    });
  });

  test("is what the manifest says, or none", () => {
    assert.equal(controlPath({ file: "/m", control: "/c" }), "/c");
    assert.equal(controlPath({ file: "/m", control: false }), undefined);
  });

  test("fits an address, however long the manifest's name is", (t) => {
    const home = folder(t, { "run/x": "" });
    withRuntimeFolder(join(home, "run"), () => {
      const [place] = defaultPaths(join(home, `${"é ".repeat(100)}.json`));
      assert.ok(Buffer.byteLength(place!) < 108);
    });
    const deep = join(home, "d".repeat(100));
    mkdirSync(deep);
    withRuntimeFolder(deep, () => {
      const places = defaultPaths(join(home, "a.json"));
      assert.ok(places.length > 0 && places.every((place) => Buffer.byteLength(place) < 108));
    });
  });

  test("a folder that others can write to is refused", (t) => {
    const run = join(folder(t, { "run/portico/x": "" }), "run");
    chmodSync(join(run, "portico"), 0o777);
    withRuntimeFolder(
      run,
      () =>
        assert.throws(() => controlPath({ file: "/m", control: undefined }), {
          code: "EACCES",
          message: /others may write to it/,
        }),
    );
    assert.doesNotThrow(() => checkFolder(join(run, "none")));
  });

  test("a link in the place of the folder is refused", (t) => {
    const run = join(folder(t, { "run/other/x": "" }), "run");
    symlinkSync("other", join(run, "portico"));
    withRuntimeFolder(
      run,
      () =>
        assert.throws(() => controlPath({ file: "/m", control: undefined }), {
          code: "EACCES",
          message: /it is no folder/,
        }),
    );
  });

  test("a folder of another user is refused, and a runtime folder of another user passed over", {
    skip: lackingRoot,
  }, (t) => {
    const run = join(folder(t, { "run/portico/x": "" }), "run");
    chownSync(join(run, "portico"), 4321, 4321);
    assert.throws(() => checkFolder(join(run, "portico")), {
      code: "EACCES",
      message: /it belongs to user 4321/,
    });
    chownSync(run, 4321, 4321);
    withRuntimeFolder(run, () => {
      assert.ok(defaultPaths("/m").every((place) => !place.startsWith(run)));
    });
  });
});
