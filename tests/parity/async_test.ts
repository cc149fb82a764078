import { rowsOf } from "./rows.ts";

rowsOf("async");
