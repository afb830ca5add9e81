/**
 * Jobs (POSIX Shell Command Language §2.11, XCU fg, bg, jobs, wait): process groups, who has the terminal, and what
 * became of children. Without job control (scripts, subshells) children stay in the shell's group.
 *
 * @module
 */
import { TIOCGPGRP, TIOCSPGRP } from "../../abi/ioctl.ts";
import { allocate, release } from "../lib/memory.ts";
import { err, flush, out, outByte, outLine, outNumber } from "../lib/output.ts";
import { at, duplicate, formatSigned, isDigit, parseNumber, startsWith } from "../lib/string.ts";
import {
  getpgid,
  getpid,
  ioctl,
  kill,
  setpgid,
  setSignal,
  SIG_DFL,
  SIG_IGN,
  SIGCONT,
  SIGINT,
  SIGQUIT,
  SIGTERM,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  waitpid,
  WNOHANG,
  WUNTRACED,
} from "../lib/system.ts";

const RUNNING: u32 = 0;
const STOPPED: u32 = 1;
const DONE: u32 = 2;
const EINTR: i32 = 4;
const ECHILD: i32 = 10;

/** One child. */
@unmanaged
class Process {
  pid: i32;
  state: u32;
  /** The wait status of its last change. */
  status: u32;
  next: Process | null;
}

/** A pipeline that the shell started. */
@unmanaged
export class Job {
  id: i32;
  group: i32;
  /** Its processes, the last of the pipeline first. */
  processes: Process | null;
  text: usize;
  /** The user has been told of its present state. */
  reported: bool;
  background: bool;
  next: Job | null;
}

/** Newest first. */
let jobs: Job | null = null;
/** Whether the shell does job control, on which terminal, and its own group. */
export let jobControl: bool = false;
let terminal: i32 = 0;
let shellGroup: i32 = 0;

const STATUS = memory.data(4, 4);
const GROUP = memory.data(4, 4);

/** Puts the shell into its own group in the terminal's foreground; job control is on from then. */
export function startJobControl(fd: i32): void {
  terminal = fd;
  // Wait until whoever started us gives us the foreground.
  while (true) {
    if (ioctl(fd, TIOCGPGRP, GROUP) < 0) return;
    const own = getpgid(0);
    if (load<i32>(GROUP) === own) break;
    kill(-own, SIGTTIN);
  }
  ignoreTerminalSignals();
  const own = getpid();
  setpgid(own, own); // fails for a session leader, which leads its group already
  shellGroup = getpgid(0);
  jobControl = true;
  giveTerminal(shellGroup);
}

function ignoreTerminalSignals(): void {
  setSignal(SIGTSTP, SIG_IGN);
  setSignal(SIGTTIN, SIG_IGN);
  setSignal(SIGTTOU, SIG_IGN);
  setSignal(SIGTERM, SIG_IGN);
  setSignal(SIGQUIT, SIG_IGN);
}

function giveTerminal(group: i32): void {
  store<i32>(GROUP, group);
  ioctl(terminal, TIOCSPGRP, GROUP);
}

/** In a new child: joins the job's group (its own if 0), and takes signals as programs expect. */
export function enterChild(group: i32, foreground: bool): void {
  if (jobControl) {
    const own = group === 0 ? getpid() : group;
    setpgid(0, own);
    if (foreground) giveTerminal(own);
    setSignal(SIGTSTP, SIG_DFL);
    setSignal(SIGTTIN, SIG_DFL);
    setSignal(SIGTTOU, SIG_DFL);
    setSignal(SIGTERM, SIG_DFL);
    setSignal(SIGINT, SIG_DFL);
    setSignal(SIGQUIT, SIG_DFL);
  } else if (!foreground) {
    // POSIX: asynchronous lists ignore the keyboard's signals without job control.
    setSignal(SIGINT, SIG_IGN);
    setSignal(SIGQUIT, SIG_IGN);
  }
  jobControl = false;
  jobs = null;
}

/** A new job without processes. */
export function newJob(text: usize, background: bool): Job {
  const job = new Job();
  job.id = 1;
  for (let other: Job | null = jobs; other !== null; other = other!.next) {
    if (other.id >= job.id) job.id = other.id + 1;
  }
  job.text = duplicate(text === 0 ? c`` : text);
  job.background = background;
  job.next = jobs;
  jobs = job;
  return job;
}

/** Adds a child; the first one leads the group. */
export function addProcess(job: Job, pid: i32): void {
  if (job.group === 0) job.group = pid;
  if (jobControl) setpgid(pid, job.group); // the child does it too: whoever is first
  const process = new Process();
  process.pid = pid;
  process.next = job.processes;
  job.processes = process;
}

function removeJob(job: Job): void {
  let before: Job | null = null;
  for (let other: Job | null = jobs; other !== null; other = other!.next) {
    if (other === job) {
      if (before === null) jobs = job.next;
      else before.next = job.next;
      break;
    }
    before = other;
  }
  for (let process: Process | null = job.processes; process !== null;) {
    const next = process.next;
    release(changetype<usize>(process));
    process = next;
  }
  release(job.text);
  release(changetype<usize>(job));
}

/** RUNNING while a process runs, STOPPED when all that live are stopped, DONE when none lives. */
function jobState(job: Job): u32 {
  let state = DONE;
  for (let process: Process | null = job.processes; process !== null; process = process!.next) {
    if (process.state === RUNNING) return RUNNING;
    if (process.state === STOPPED) state = STOPPED;
  }
  return state;
}

/** The exit status that `$?` shows for a wait status. */
export function exitStatus(status: u32): i32 {
  if ((status & 0xff) === 0x7f) return 128 + ((status >> 8) & 0xff);
  if ((status & 0x7f) !== 0) return 128 + (status & 0x7f);
  return (status >> 8) & 0xff;
}

/** The status of the pipeline's last command. */
function jobStatus(job: Job): i32 {
  const last = job.processes;
  return last === null ? 0 : exitStatus(last.status);
}

function noteChange(pid: i32, status: u32): void {
  for (let job: Job | null = jobs; job !== null; job = job!.next) {
    for (let process: Process | null = job.processes; process !== null; process = process!.next) {
      if (process.pid !== pid) continue;
      process.status = status;
      process.state = (status & 0xff) === 0x7f ? STOPPED : DONE;
      job.reported = false;
    }
  }
}

/** Takes note of all children that changed without waiting. */
export function pollJobs(): void {
  while (true) {
    const pid = waitpid(-1, STATUS, WNOHANG | WUNTRACED);
    if (pid <= 0) return;
    noteChange(pid, load<u32>(STATUS));
  }
}

/** Whether Ctrl-C has ended a foreground job since {@link forgetInterrupt}: loops around it end, too. */
export let interruptSeen: bool = false;
export function forgetInterrupt(): void {
  interruptSeen = false;
}

/** Waits for a foreground job; returns its status. A stopped job stays, a done one is gone. */
export function waitForeground(job: Job): i32 {
  waitWhileRunning(job, false);
  if (jobControl) giveTerminal(shellGroup);
  const state = jobState(job);
  const status = jobStatus(job);
  if (state === STOPPED) {
    job.background = true;
    err(c`\n`);
    printJob(job);
    flush();
    job.reported = true;
    return status;
  }
  const last = job.processes;
  if (last !== null && (last.status & 0x7f) !== 0) {
    const signal = last.status & 0x7f;
    if (signal === SIGINT) {
      err(c`\n`);
      interruptSeen = true;
    } else if (signal !== 13) {
      err(signalText(signal));
      err(c`\n`);
    }
  }
  removeJob(job);
  return status;
}

/** Waits until the job does not run; with `interruptible` a signal ends the wait (returns false). */
function waitWhileRunning(job: Job, interruptible: bool): bool {
  while (jobState(job) === RUNNING) {
    const pid = waitpid(-1, STATUS, jobControl ? WUNTRACED : 0);
    if (pid === -EINTR) {
      if (interruptible) return false;
      continue;
    }
    if (pid === -ECHILD) {
      // Somebody else collected them: they are gone.
      for (let process: Process | null = job.processes; process !== null; process = process!.next) {
        process.state = DONE;
      }
      return true;
    }
    if (pid > 0) noteChange(pid, load<u32>(STATUS));
  }
  return true;
}

/** Gives a foreground job the terminal. */
export function startForeground(job: Job): void {
  if (jobControl) giveTerminal(job.group);
}

/** Says which background job was started: `[1] 42`. */
export function announce(job: Job): void {
  err(c`[`);
  err(formatSigned(job.id));
  err(c`] `);
  err(formatSigned(job.group));
  err(c`\n`);
}

function printJob(job: Job): void {
  outByte(0x5b);
  outNumber(job.id);
  out(c`]`);
  out(job === current() ? c`+ ` : c`  `);
  const state = jobState(job);
  if (state === RUNNING) {
    out(c`Running     `);
  } else if (state === STOPPED) {
    out(c`Stopped     `);
  } else {
    const last = job.processes;
    const status = last === null ? 0 : last.status;
    if ((status & 0x7f) !== 0) {
      out(signalText(status & 0x7f));
      out(c`  `);
    } else if (exitStatus(status) !== 0) {
      out(c`Done(`);
      outNumber(exitStatus(status));
      out(c`)  `);
    } else {
      out(c`Done        `);
    }
  }
  out(job.text);
  outLine();
}

/** Tells an interactive user about background jobs that changed, and forgets the ones that ended. */
export function reportJobs(all: bool): void {
  pollJobs();
  let highest = 0;
  for (let job: Job | null = jobs; job !== null; job = job!.next) {
    if (job.id > highest) highest = job.id;
  }
  for (let id = 1; id <= highest; id++) {
    const job = jobById(id);
    if (job === null) continue;
    const state = jobState(job);
    if (all || (!job.reported && state !== RUNNING)) printJob(job);
    job.reported = true;
    if (state === DONE) removeJob(job);
  }
  flush();
}

/** Forgets jobs that ended, silently (scripts). */
export function forgetDone(): void {
  pollJobs();
}

function jobById(id: i32): Job | null {
  for (let job: Job | null = jobs; job !== null; job = job!.next) if (job.id === id) return job;
  return null;
}

/** The newest stopped job, else the newest one. */
function current(): Job | null {
  for (let job: Job | null = jobs; job !== null; job = job!.next) {
    if (jobState(job) === STOPPED) return job;
  }
  return jobs;
}

/** The job that `%1`, `%+`, `%name` or nothing (0) names. */
export function findJob(name: usize): Job | null {
  if (name === 0) return current();
  if (at(name) === 0x25) name++;
  if (at(name) === 0 || at(name) === 0x25 || at(name) === 0x2b) return current();
  if (isDigit(at(name))) return jobById(parseNumber(name));
  for (let job: Job | null = jobs; job !== null; job = job!.next) {
    if (startsWith(job.text, name)) return job;
  }
  return null;
}

/** The pid of the pipeline's last command, 0 if none was started. */
export function lastPid(job: Job): i32 {
  const last = job.processes;
  return last === null ? 0 : last.pid;
}

/** The process group of a job. */
export function groupOf(job: Job): i32 {
  return job.group;
}

/** Lets a job go on, in the foreground (then its status is returned) or the background. */
export function resumeJob(job: Job, foreground: bool): i32 {
  for (let process: Process | null = job.processes; process !== null; process = process!.next) {
    if (process.state === STOPPED) process.state = RUNNING;
  }
  job.background = !foreground;
  out(job.text);
  if (!foreground) out(c` &`);
  outLine();
  flush();
  if (foreground) startForeground(job);
  kill(jobControl ? -job.group : job.group, SIGCONT);
  return foreground ? waitForeground(job) : 0;
}

/** Waits for one child by pid, or for a job; 127 if it is not ours, 128+n if a signal came. */
export function waitFor(pid: i32, job: Job | null): i32 {
  let wanted = job;
  for (let other = jobs; other !== null && wanted === null; other = other!.next) {
    for (let process: Process | null = other.processes; process !== null; process = process!.next) {
      if (process.pid === pid) wanted = other;
    }
  }
  if (wanted === null) return 127;
  if (!waitWhileRunning(wanted, true)) return 128 + SIGINT;
  const status = jobStatus(wanted);
  if (jobState(wanted) === DONE) removeJob(wanted);
  return status;
}

/** Waits for all background jobs that run. */
export function waitForAll(): i32 {
  for (let job: Job | null = jobs; job !== null;) {
    if (jobState(job) === RUNNING && !waitWhileRunning(job, true)) return 128 + SIGINT;
    const next = job.next;
    if (jobState(job) === DONE) removeJob(job);
    job = next;
  }
  return 0;
}

/** Whether a job is stopped (an interactive shell warns before it leaves). */
export function haveStopped(): bool {
  for (let job: Job | null = jobs; job !== null; job = job!.next) {
    if (jobState(job) === STOPPED) return true;
  }
  return false;
}

/** What a shell says of a program that a signal ended. */
export function signalText(signal: u32): usize {
  switch (signal) {
    case 1:
      return c`Hangup`;
    case 3:
      return c`Quit`;
    case 4:
      return c`Illegal instruction`;
    case 5:
      return c`Trace/breakpoint trap`;
    case 6:
      return c`Aborted`;
    case 7:
      return c`Bus error`;
    case 8:
      return c`Floating point exception`;
    case 9:
      return c`Killed`;
    case 10:
      return c`User defined signal 1`;
    case 11:
      return c`Segmentation fault`;
    case 12:
      return c`User defined signal 2`;
    case 14:
      return c`Alarm clock`;
    case 15:
      return c`Terminated`;
    default:
      return c`Ended by a signal`;
  }
}

/** A pair of descriptors for a pipe, on the heap. */
export function newPipe(): usize {
  return allocate(8);
}
