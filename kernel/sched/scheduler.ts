/**
 * The scheduler: round robin with time slices that depend on nice, in epochs.
 *
 * Runnable tasks wait in one queue while they have ticks left, and in a second one when theirs are used
 * up; when the first is empty the two change places. Who sleeps keeps its ticks and comes before
 * those who computed all the time.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { switch_context } from "../arch/i386/asm.ts";
import { hlt, sti } from "../arch/i386/x86.ts";
import { prepareSwitch } from "../arch/i386/switch.ts";
import {
  current,
  setCurrent,
  Task,
  TASK_RUNNING,
  TASK_SLEEPING,
  TASK_SLEEPING_DEEP,
  TASK_STOPPED,
} from "../proc/task.ts";

/** Ticks of a slice at nice 0: 24 ms. */
const SLICE: i32 = 6;

let activeFirst: Task | null = null;
let activeLast: Task | null = null;
let expiredFirst: Task | null = null;
let expiredLast: Task | null = null;
let idle: Task | null = null;
let reschedule = false;
let switches: u32 = 0;
let runnable: u32 = 0;

/** Ticks of a full slice. */
export function sliceOf(task: Task): i32 {
  const ticks = ((20 - task.nice) * SLICE) / 20;
  return ticks > 0 ? ticks : 1;
}

function append(task: Task): void {
  if (task.queued) return;
  task.queued = true;
  task.runNext = null;
  runnable++;
  if (task.slice > 0) {
    if (activeLast !== null) activeLast!.runNext = task;
    else activeFirst = task;
    activeLast = task;
  } else {
    task.slice = sliceOf(task);
    if (expiredLast !== null) expiredLast!.runNext = task;
    else expiredFirst = task;
    expiredLast = task;
  }
}

function take(): Task | null {
  if (activeFirst === null) {
    activeFirst = expiredFirst;
    activeLast = expiredLast;
    expiredFirst = null;
    expiredLast = null;
  }
  const task = activeFirst;
  if (task === null) return null;
  activeFirst = task.runNext;
  if (activeFirst === null) activeLast = null;
  task.queued = false;
  runnable--;
  return task;
}

/** Makes the running context the idle task. */
export function schedulerInit(task: Task): void {
  idle = task;
  setCurrent(task);
}

/** Another task should run soon. */
export function needReschedule(): bool {
  return reschedule;
}

/** Asks for `schedule` at the next return to user mode. */
export function requestReschedule(): void {
  reschedule = true;
}

/** Context switches so far; tasks that wait for the processor. */
export function switchCount(): u32 {
  return switches;
}
export function runnableCount(): u32 {
  return runnable + (current() === idle ? 0 : 1);
}

/** Makes a new task runnable. */
export function taskStart(task: Task): void {
  const flags = irqSave();
  task.state = TASK_RUNNING;
  append(task);
  reschedule = true;
  irqRestore(flags);
}

/** Wakes a sleeping task (not a stopped one): true when it slept. */
export function wakeTask(task: Task): bool {
  const flags = irqSave();
  const slept = task.state === TASK_SLEEPING || task.state === TASK_SLEEPING_DEEP;
  if (slept) {
    task.state = TASK_RUNNING;
    if (task !== current()) append(task);
    reschedule = true;
  }
  irqRestore(flags);
  return slept;
}

/** Wakes a task from a sleep that signals may end; and a stopped one when `stopped`. */
export function wakeForSignal(task: Task, stopped: bool): void {
  const flags = irqSave();
  if (task.state === TASK_SLEEPING || (stopped && task.state === TASK_STOPPED)) {
    task.state = TASK_RUNNING;
    if (task !== current()) append(task);
    reschedule = true;
  }
  irqRestore(flags);
}

/**
 * Gives the processor to another task, if there is one; the current one goes on when its state is
 * TASK_RUNNING and its turn comes. Interrupts are off at the call and afterwards.
 */
export function schedule(): void {
  const previous = current();
  reschedule = false;
  if (previous.state === TASK_RUNNING) {
    if (previous !== idle) append(previous);
    previous.involuntarySwitches++;
  } else previous.voluntarySwitches++;
  let next = take();
  if (next === null) next = idle!;
  if (next === previous) return;
  switches++;
  prepareSwitch(next);
  setCurrent(next);
  switch_context(changetype<usize>(previous) + offsetof<Task>("stackPointer"), next.stackPointer);
}

/** Lets others run; a no-op when nobody waits. May be called with interrupts on or off. */
export function yieldProcessor(): void {
  const flags = irqSave();
  current().slice = 0;
  schedule();
  irqRestore(flags);
}

/** Counts a tick against the current task. In the tick interrupt. */
export function schedulerTick(): void {
  const task = current();
  if (task === idle) {
    if (activeFirst !== null || expiredFirst !== null) reschedule = true;
    return;
  }
  if (task.slice > 0) task.slice--;
  if (task.slice <= 0) reschedule = true;
}

/** The idle task's life: runs others, and halts when there are none. */
export function idleLoop(): void {
  while (true) {
    irqSave();
    if (activeFirst !== null || expiredFirst !== null) schedule();
    else {
      // STI takes effect behind the next instruction (SDM vol. 2 "STI"), so no wake-up is lost.
      sti();
      hlt();
    }
  }
}
