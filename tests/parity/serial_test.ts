import { rowsOf } from "./rows.ts";

rowsOf("serial");
