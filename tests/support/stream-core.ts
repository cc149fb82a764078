/** The stream core alone: what serves a stream, wherever it comes from. `tests/size_test.ts` weighs it. */
export { Log } from "../../runtime/core/log.ts";
export { Service } from "../../runtime/core/service.ts";
export { StreamPipeline } from "../../runtime/core/stream/pipeline.ts";
