/**
 * Sleeping and waking.
 *
 * @module
 */
export { HZ } from "../time/ticks.ts";
export { lock, Mutex, mutexInit, tryLock, unlock } from "./mutex.ts";
export {
  FOREVER,
  sleepOn,
  sleepOnInterruptible,
  sleepOnInterruptibleTimeout,
  sleepOnTimeout,
  sleepPrepared,
  WaitEntry,
  WaitQueue,
  waitQueueActive,
  waitQueueAdd,
  waitQueueInit,
  waitQueueRemove,
  wakeAll,
  wakeOne,
} from "./wait.ts";
