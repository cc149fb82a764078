// The site of the documents: `npm run docs` builds it into docs/.vitepress/dist, and nothing in it is
// loaded from elsewhere. A page that is linked and missing stops the build.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const DOCS = fileURLToPath(new URL("..", import.meta.url));

/** A page's title, as it says itself; what its group says already is left out. */
function titleOf(path) {
  const title = /^# (.+)$/m.exec(readFileSync(`${DOCS}${path}.md`, "utf8"))?.[1] ?? path;
  return title.replaceAll("`", "").replace(/^Coming from /, "");
}

/** A group of the navigation. */
const group = (text, ...paths) => ({
  text,
  items: paths.map((path) => ({ text: titleOf(path), link: `/${path}` })),
});
const guide = (...names) => names.map((name) => `guide/${name}`);

const groups = [
  group("Begin", ...guide("first-server", "plugins", "editor")),
  group("Write", ...guide("streams", "datagrams", "http", "strategies", "testing", "publishing")),
  group(
    "Run",
    ...guide(
      "limits",
      "tls",
      "balancers",
      "match",
      "bans",
      "resources",
      "many-services",
      "security",
      "logging",
      "operating",
      "reload-and-upgrade",
      "metrics",
      "dashboard",
    ),
  ),
  group("Ship", ...guide("deployment", "embedding", "compile", "troubleshooting")),
  group(
    "Coming from",
    ...guide(
      "coming-from-socketserver",
      "coming-from-inetd",
      "coming-from-node",
      "coming-from-pm2",
      "coming-from-http",
    ),
  ),
  group(
    "Reference",
    ...[
      "manifest",
      "socket-options",
      "plugins",
      "records",
      "errors",
      "metrics",
      "commands",
      "api",
      "api-testing",
      "api-embed",
      "examples",
    ]
      .map((name) => `reference/${name}`),
  ),
  group(
    "What it can do, and costs",
    "runtimes",
    "parity",
    "permissions",
    "performance",
    "experiments",
    "sizes",
  ),
];

// What nobody has thought of above is in the navigation, too.
const named = new Set(groups.flatMap(({ items }) => items.map(({ link }) => link.slice(1))));
const others = ["", "guide/", "reference/"]
  .flatMap((folder) => readdirSync(`${DOCS}${folder}`).map((name) => `${folder}${name}`))
  .filter((name) => name.endsWith(".md") && name !== "index.md").map((name) => name.slice(0, -3))
  .filter((path) => !named.has(path));

/** A gate, as the name says. */
const ICON = "data:image/svg+xml," + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 15V8a7 7 0 0 1 14 0v7h-4V8a3 3 0 0 0-6 0v7z" fill="#3451b2"/></svg>',
);

export default defineConfig({
  head: [["link", { rel: "icon", href: ICON }]],
  title: "Portico",
  description: "A portable, plugin-based server runtime for Node, Deno and Bun",
  srcExclude: [".blocks/**", "generate/**"],
  cleanUrls: false,
  lastUpdated: false,
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Guide", link: "/guide/first-server" },
      { text: "Reference", link: "/reference/manifest" },
    ],
    sidebar: [...groups, group("More", ...others)].filter(({ items }) => items.length > 0),
    outline: [2, 3],
  },
});
