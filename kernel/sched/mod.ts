/**
 * Who runs.
 *
 * @module
 */
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
