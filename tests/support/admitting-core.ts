/** The stream core with the admission before it. `tests/size_test.ts` weighs it. */
export { Admission } from "../../runtime/core/admission/admission.ts";
export * from "./stream-core.ts";
