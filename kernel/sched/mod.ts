/**
 * Who runs.
 *
 * @module
 */
export { loadAverage, loadTick } from "./load.ts";
export {
  idleLoop,
  needReschedule,
  requestReschedule,
  runnableCount,
  schedule,
  schedulerInit,
  schedulerTick,
  sliceOf,
  switchCount,
  taskStart,
  wakeForSignal,
  wakeTask,
  yieldProcessor,
} from "./scheduler.ts";
