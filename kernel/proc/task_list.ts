/**
 * All tasks and processes, by identifier.
 *
 * @module
 */
import { Process, Task } from "./task.ts";

/** Identifiers wrap here (PID_MAX_DEFAULT of Linux). */
export const PID_MAX: i32 = 32768;
/** Where they begin again after that. */
const PID_RESERVED: i32 = 300;
const BUCKETS: u32 = 256;

const buckets = memory.data(1024, 4);
let first: Task | null = null;
let last: Task | null = null;
let firstProcess: Process | null = null;
let lastPid: i32 = 0;
let tasks: u32 = 0;
let forks: u32 = 0;

/** The first task, for walks along `next`: by age. */
export function taskFirst(): Task | null {
  return first;
}

/** The first process, for walks along `next`: the youngest. */
export function processFirst(): Process | null {
  return firstProcess;
}

/** Tasks there are; tasks ever made; the last identifier given. */
export function taskCount(): u32 {
  return tasks;
}
export function forkCount(): u32 {
  return forks;
}
export function pidLast(): i32 {
  return lastPid;
}

/** The task of an identifier, zombies included, or null. */
export function taskByPid(pid: i32): Task | null {
  let task = changetype<Task | null>(load<usize>(buckets + ((<u32> pid % BUCKETS) << 2)));
  while (task !== null && task.pid !== pid) task = task.hashNext;
  return task;
}

/** The process of an identifier, or null. */
export function processByPid(pid: i32): Process | null {
  let process = firstProcess;
  while (process !== null && process.pid !== pid) process = process.next;
  return process;
}

function inUse(pid: i32): bool {
  if (taskByPid(pid) !== null) return true;
  for (let nextProcess: Process | null = firstProcess; nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p.pgrp === pid || p.session === pid) return true;
  }
  return false;
}

/** An identifier that nobody has, also no group or session; 0 when there is none. */
export function pidNew(): i32 {
  for (let tries: i32 = 0; tries < PID_MAX; tries++) {
    lastPid++;
    if (lastPid >= PID_MAX) lastPid = PID_RESERVED;
    if (!inUse(lastPid)) return lastPid;
  }
  return 0;
}

/** Adds a task that has its `pid`. */
export function taskAdd(task: Task): void {
  const bucket = buckets + ((<u32> task.pid % BUCKETS) << 2);
  task.hashNext = changetype<Task | null>(load<usize>(bucket));
  store<usize>(bucket, changetype<usize>(task));
  task.next = null;
  task.previous = last;
  if (last !== null) last!.next = task;
  else first = task;
  last = task;
  tasks++;
  forks++;
}

/** Takes a task out. */
export function taskRemove(task: Task): void {
  const bucket = buckets + ((<u32> task.pid % BUCKETS) << 2);
  let at = changetype<Task | null>(load<usize>(bucket));
  if (at === task) store<usize>(bucket, changetype<usize>(task.hashNext));
  else {
    while (at !== null && at.hashNext !== task) at = at.hashNext;
    if (at !== null) at.hashNext = task.hashNext;
  }
  if (task.previous !== null) task.previous!.next = task.next;
  else first = task.next;
  if (task.next !== null) task.next!.previous = task.previous;
  else last = task.previous;
  tasks--;
}

/** Moves a task to another identifier (a thread that calls exec becomes the leader). */
export function taskRename(task: Task, pid: i32): void {
  taskRemove(task);
  task.pid = pid;
  taskAdd(task);
  forks--;
}

/** Adds and removes processes. */
export function processAdd(process: Process): void {
  process.next = firstProcess;
  firstProcess = process;
}
export function processRemove(process: Process): void {
  if (firstProcess === process) {
    firstProcess = process.next;
    return;
  }
  let at = firstProcess;
  while (at !== null && at.next !== process) at = at.next;
  if (at !== null) at.next = process.next;
}
