/**
 * Tasks, processes, signals.
 *
 * @module
 */
export { initProcess, kernelThread, userFrame } from "./create.ts";
export { execute } from "./exec.ts";
export { inOrphanedGroup } from "./exit.ts";
export {
  files,
  FileServices,
  fileServicesRegister,
  randomBytes,
  randomRegister,
  syncDisks,
  syncRegister,
  ttySessionExitRegister,
} from "./services.ts";
export {
  signalBlockedOrIgnored,
  signalIgnored,
  signalSend,
  signalSendByUser,
  signalSendGroup,
  signalSendInfo,
} from "./signal.ts";
export { SignalInfo } from "./signal_info.ts";
export {
  current,
  currentAddress,
  killPending,
  NAME_SIZE,
  Process,
  signalPending,
  Task,
  TASK_DEAD,
  TASK_RUNNING,
  TASK_SLEEPING,
  TASK_SLEEPING_DEEP,
  TASK_STOPPED,
  TASK_ZOMBIE,
} from "./task.ts";
export {
  forkCount,
  pidLast,
  processByPid,
  processFirst,
  taskByPid,
  taskCount,
  taskFirst,
} from "./task_list.ts";
export { processSystemTicks, processUserTicks } from "./usage.ts";
