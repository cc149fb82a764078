import { rowsOf } from "./rows.ts";

rowsOf("processes");
