/** Files of certificates: what is read out of them, and what is told of those that are wrong. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { PorticoError } from "../../runtime/core/errors.ts";
import { TlsFileReader } from "../../runtime/services/tls/files.ts";
import { pairsIn } from "../../runtime/services/tls/folder.ts";
import { checkTime, type Pair, readPair } from "../../runtime/services/tls/pair.ts";
import { type CertificateName, certificates } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";

const made = certificates();
const openssl = (cwd: string, words: string): Uint8Array =>
  execFileSync("openssl", words.split(" "), { cwd, stdio: ["ignore", "pipe", "pipe"] });

function read(cert: string, key: string, ocsp?: string): Pair {
  return readPair({ cert, key, ...(ocsp !== undefined && { ocsp }) }, new TlsFileReader());
}

/** What is told, without the folder. */
function told(act: () => unknown, home: string = made.folder): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof PorticoError, String(error));
    assert.equal(error.code, "TLS_INVALID");
    assert.equal(error.cause, undefined, "what a library says may quote a key");
    const text = `${error.message}\n${error.hint}`;
    assert.doesNotMatch(text, /[A-Za-z0-9+/]{64}/);
    return text.replaceAll(home, "HOME");
  }
  throw new assert.AssertionError({ message: "nothing was wrong" });
}

interface Wrong {
  readonly what: string;
  /** Files of the folder: `s.pem` and `s.key` are read. */
  readonly make: (home: string) => void;
  readonly says: RegExp;
}

const put = (home: string, name: string, bytes: string | Uint8Array): void =>
  writeFileSync(join(home, name), bytes);

const WRONG: readonly Wrong[] = [
  {
    what: "no file",
    make: (home) => put(home, "s.key", made.key("server")),
    says: /^HOME\/s\.pem: no such file\nexpected: the certificate of the server, PEM/,
  },
  {
    what: "a folder in the place of a file",
    make: (home) => mkdirSync(join(home, "s.pem")),
    says: /^HOME\/s\.pem: a folder\n/,
  },
  {
    what: "an empty file",
    make: (home) => put(home, "s.pem", ""),
    says: /^HOME\/s\.pem: an empty file\n/,
  },
  {
    what: "what is no PEM",
    make: (home) => put(home, "s.pem", "hello"),
    says: /^HOME\/s\.pem: no PEM\n/,
  },
  {
    what: "a certificate that is cut off",
    make: (home) => put(home, "s.pem", made.cert("server").slice(0, 200)),
    says: /^HOME\/s\.pem: PEM that is cut off\n/,
  },
  {
    what: "a certificate that is damaged",
    make: (home) =>
      put(home, "s.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    says: /^HOME\/s\.pem: the certificate 1 of 1 is damaged\n/,
  },
  {
    what: "a certificate in DER",
    make: (home) => put(home, "s.pem", openssl(made.folder, "x509 -in server.pem -outform der")),
    says: /^HOME\/s\.pem: DER, and not PEM\nexpected: PEM: openssl x509 -inform der/,
  },
  {
    what: "PKCS #12",
    make: (home) =>
      put(
        home,
        "s.pem",
        openssl(made.folder, "pkcs12 -export -in server.pem -inkey server.key -passout pass:x"),
      ),
    says: /^HOME\/s\.pem: binary, as PKCS #12 is, and not PEM\n/,
  },
  {
    what: "a key in the place of a certificate",
    make: (home) => put(home, "s.pem", made.key("server")),
    says: /^HOME\/s\.pem: PEM of PRIVATE KEY\n/,
  },
  {
    what: "a certificate in the place of a key",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", made.cert("server"));
    },
    says: /^HOME\/s\.key: PEM of CERTIFICATE\nexpected: the private key/,
  },
  {
    what: "a key in DER",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", openssl(made.folder, "pkey -in server.key -outform der"));
    },
    says: /^HOME\/s\.key: DER, or PKCS #12, and not PEM\nexpected: PEM: openssl pkey/,
  },
  ...["pkcs8 -topk8 -in server.key -passout pass:x", "ec -in server.key -aes256 -passout pass:x"]
    .map((words): Wrong => ({
      what: `an encrypted key, by openssl ${words.split(" ")[0]}`,
      make: (home) => {
        put(home, "s.pem", made.cert("server"));
        put(home, "s.key", openssl(made.folder, words));
      },
      says: /^HOME\/s\.key: an encrypted key: .*\nexpected: the key without one.*openssl pkey/,
    })),
  {
    what: "a key that is damaged",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    },
    says: /^HOME\/s\.key: a key that is damaged/,
  },
  {
    what: "a key of another certificate",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", made.key("a"));
    },
    says:
      /^HOME\/s\.key: not the key of the certificate in HOME\/s\.pem \(CN=server\)\nexpected: the key of that certificate$/,
  },
  {
    what: "a key of another kind",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", made.key("rsa"));
    },
    says: /which is of EC.*; this one is of RSA, 2048 bits$/,
  },
  {
    what: "an OCSP response in PEM",
    make: (home) => {
      put(home, "s.pem", made.cert("server"));
      put(home, "s.key", made.key("server"));
      put(home, "s.ocsp", made.cert("server"));
    },
    says: /^HOME\/s\.ocsp: no DER\nexpected: an OCSP response, DER/,
  },
];

/** A chain of three: `leaf`, `middle`, `ca`. */
function chain(home: string): Record<"leaf" | "middle" | "root", string> {
  openssl(
    home,
    "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout middle.key -out middle.csr -subj /CN=middle",
  );
  put(home, "ca.ext", "basicConstraints=critical,CA:TRUE\n");
  const { folder: at } = made;
  const sign = (name: string, by: string, ext: string): string =>
    openssl(
      home,
      `x509 -req -in ${name}.csr -CA ${by}.pem -CAkey ${by}.key -set_serial 7 -days 2 -extfile ${ext}`,
    ).toString();
  const middle = sign("middle", join(at, "ca"), "ca.ext");
  put(home, "middle.pem", middle);
  openssl(
    home,
    "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf",
  );
  put(
    home,
    "leaf.ext",
    "basicConstraints=CA:FALSE\nsubjectAltName=DNS:Leaf.Example,DNS:*.x.example,IP:192.0.2.1\n",
  );
  return { leaf: sign("leaf", "middle", "leaf.ext"), middle, root: made.cert("ca") };
}

describe("files of certificates", () => {
  for (const { what, make, says } of WRONG) {
    test(`${what} is told of, with what would be right`, (t) => {
      const home = folder(t, {});
      make(home);
      const ocsp = what.includes("OCSP") ? join(home, "s.ocsp") : undefined;
      const text = told(() => read(join(home, "s.pem"), join(home, "s.key"), ocsp), home);
      assert.match(text, says);
    });
  }

  test("a file that may not be read is told of", { skip: isRoot() }, (t) => {
    const home = folder(t, { "s.pem": made.cert("server"), "s.key": made.key("server") });
    chmodSync(join(home, "s.key"), 0);
    const text = told(() => read(join(home, "s.pem"), join(home, "s.key")), home);
    assert.match(text, /^HOME\/s\.key: no permission to read it\n/);
  });

  test("a certificate whose time is over, or has not come, is told of", () => {
    const pair = read(made.file("expired"), made.file("expired", "key"));
    const now = Date.now();
    assert.match(
      told(() => checkTime(pair, now)),
      /^HOME\/expired\.pem: expired at 20.*Z\nexpected: a certificate that is valid now$/,
    );
    const fresh = read(made.file("server"), made.file("server", "key"));
    checkTime(fresh, now);
    assert.match(
      told(() => checkTime(fresh, now - 86_400_000)),
      /^HOME\/server\.pem: not valid before .*\nexpected: .*the clock of this machine says/,
    );
  });

  test("names are those of subjectAltName in lower case; the common name where there are none", (t) => {
    const home = folder(t, {});
    put(home, "s.pem", chain(home).leaf);
    const { identity, fingerprint } = read(join(home, "s.pem"), join(home, "leaf.key"));
    assert.deepEqual(identity.names, ["leaf.example", "*.x.example"]);
    assert.match(fingerprint, /^[0-9a-f]{64}$/);
    assert.deepEqual(read(made.file("ca"), made.file("ca", "key")).identity.names, ["ca"]);
  });

  test("a chain in the wrong order is mended, with a word on it; one in order is as it is", (t) => {
    const home = folder(t, {});
    const { leaf, middle, root } = chain(home);
    const of = (...parts: string[]): Pair => {
      put(home, "s.pem", parts.join(""));
      return read(join(home, "s.pem"), join(home, "leaf.key"));
    };
    const right = of(leaf, middle, root);
    assert.equal(right.warning, undefined);
    assert.equal(right.identity.cert, [leaf, middle, root].join(""));
    for (const order of [[root, middle, leaf], [middle, leaf, root], [leaf, root, middle]]) {
      const { warning, identity } = of(...order);
      assert.match(warning!, /s\.pem: its certificates are in the wrong order/);
      assert.equal(identity.cert, right.identity.cert);
    }
  });

  test("certificate and key may be in one file, among other words and with line ends of Windows", (t) => {
    const both = `Bag Attributes\n${made.key("server")}${made.cert("server")}`;
    const home = folder(t, { "s.pem": both.replaceAll("\n", "\r\n") });
    const { identity } = read(join(home, "s.pem"), join(home, "s.pem"));
    assert.deepEqual(identity.names, ["logs.example"]);
  });

  test("a folder has a pair for each name, as deployments have them", (t) => {
    const [cert, key] = [made.cert("a"), made.key("a")];
    const home = folder(t, {
      "one.example.crt": cert,
      "one.example.key": key,
      "one.example.ocsp": "0",
      "two.example.pem": cert,
      "two.example-key.pem": key,
      "live/three.example/fullchain.pem": cert,
      "live/three.example/privkey.pem": key,
      "live/three.example/README": "",
      "ca.crt": cert,
      ".hidden.crt": cert,
      ".hidden.key": key,
    });
    symlinkSync(join(home, "live/three.example"), join(home, "three.example"));
    const short = (path: string): string => path.slice(home.length + 1);
    assert.deepEqual(pairsIn(home).map((one) => [short(one.cert), short(one.key), "ocsp" in one]), [
      ["one.example.crt", "one.example.key", true],
      ["three.example/fullchain.pem", "three.example/privkey.pem", false],
      ["two.example.pem", "two.example-key.pem", false],
    ]);
    assert.equal(pairsIn(join(home, "live/three.example")).length, 1);
    assert.match(told(() => pairsIn(join(home, "no")), home), /^HOME\/no: no such folder\n/);
    assert.match(
      told(() => pairsIn(join(home, "ca.crt")), home),
      /^HOME\/ca\.crt: a file, and no folder\n/,
    );
  });

  test("a key of RSA is one, too", () => {
    const name: CertificateName = "rsa";
    assert.deepEqual(read(made.file(name), made.file(name, "key")).identity.names, ["rsa.example"]);
  });
});

function isRoot(): string | false {
  return process.getuid?.() === 0 && "root may read everything";
}
