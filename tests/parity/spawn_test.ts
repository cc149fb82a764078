import { rowsOf } from "./rows.ts";

rowsOf("spawn");
