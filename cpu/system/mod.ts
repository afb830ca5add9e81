/**
 * System instructions as assists: segment loads, descriptor tables, control registers, MSRs, ports.
 * @module
 */
import type { Assists, RecordAssists } from "../execute/assist.ts";
import { controlAssists } from "./control.ts";
import { identityAssists } from "./identity.ts";
import { msrAssists } from "./msr.ts";
import { portAssists, portRecordAssists } from "./ports.ts";
import { segmentAssists } from "./segments.ts";
import { tableAssists } from "./tables.ts";

export {
  CPU_MODELS,
  type CpuModel,
  DEFAULT_MODEL,
  type Feature,
  findModel,
  type Model,
  modelHas,
  MODELS,
} from "./models.ts";
export { timeSemantics } from "./time.ts";
export { resetMsrs } from "./msr.ts";
export { writeCr0, writeCr3, writeCr4 } from "./control.ts";

/** All assists of this folder, by operation name. */
export const privilegedAssists: Assists = {
  ...controlAssists,
  ...identityAssists,
  ...msrAssists,
  ...portAssists,
  ...segmentAssists,
  ...tableAssists,
};

/** Those that read the record themselves. */
export const privilegedRecordAssists: RecordAssists = portRecordAssists;
