/** Certificates for tests, made by openssl(1). */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * In a folder: an authority (`ca`), a `server` that is `logs.example` and 127.0.0.1, one whose time is over
 * (`expired`), a `client`, and an authority that nobody knows (`other`); each as NAME.pem and NAME.key.
 */
export function certify(home: string): void {
  const openssl = (...words: string[]): void =>
    void execFileSync("openssl", words, { cwd: home, stdio: ["ignore", "ignore", "pipe"] });
  const authority = (name: string): void =>
    openssl(
      ...`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${name}.key -out ${name}.pem -subj /CN=${name}`
        .split(" "),
      "-addext",
      "basicConstraints=critical,CA:TRUE",
    );
  const signed = (name: string, extension: string, days = 2): void => {
    openssl(
      ...`req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`
        .split(" "),
    );
    writeFileSync(join(home, `${name}.ext`), `basicConstraints=CA:FALSE\n${extension}\n`);
    openssl(
      ...`x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} -out ${name}.pem -extfile ${name}.ext`
        .split(" "),
    );
  };
  authority("ca");
  authority("other");
  signed("server", "subjectAltName=DNS:logs.example,IP:127.0.0.1\nextendedKeyUsage=serverAuth");
  signed(
    "expired",
    "subjectAltName=DNS:logs.example,IP:127.0.0.1\nextendedKeyUsage=serverAuth",
    -1,
  );
  signed("client", "subjectAltName=DNS:client.example\nextendedKeyUsage=clientAuth");
}
