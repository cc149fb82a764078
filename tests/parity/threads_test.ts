import { rowsOf } from "./rows.ts";

rowsOf("threads");
