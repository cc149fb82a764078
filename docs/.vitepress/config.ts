import { defineConfig } from "vitepress";
export default defineConfig({ title: "Portico", themeConfig: { search: { provider: "local" } } });
