/**
 * init: the first process. Mounts what programs expect, keeps a shell on the console, and collects orphans.
 *
 * @module
 */
import { TIOCSCTTY } from "../../abi/ioctl.ts";
import { EINTR } from "../../abi/errno.ts";
import { allocate } from "../lib/memory.ts";
import { copyAll } from "../lib/files.ts";
import { complain, err } from "../lib/output.ts";
import {
  chdir,
  close,
  dup2,
  execve,
  exit,
  fork,
  getpid,
  ioctl,
  mount,
  O_RDONLY,
  O_RDWR,
  open,
  setsid,
  sleep,
  waitpid,
} from "../lib/system.ts";

const STATUS = memory.data(4, 4);

export function main(_argc: i32, _argv: usize): i32 {
  if (getpid() !== 1) {
    err(c`init: the kernel starts me as process 1; to end the system, run poweroff\n`);
    return 1;
  }
  // Where the kernel has mounted them already, it says so; what else fails does not keep a shell away.
  mount(c`proc`, c`/proc`, c`proc`, 0, 0);
  mount(c`devtmpfs`, c`/dev`, c`devtmpfs`, 0, 0);
  mount(c`tmpfs`, c`/tmp`, c`tmpfs`, 0, 0);
  greet();
  while (true) {
    const shell = startShell();
    while (true) {
      const pid = waitpid(-1, STATUS, 0);
      if (pid === shell) break;
      if (pid < 0 && pid !== -EINTR) {
        sleep(1, 0);
        break;
      }
    }
  }
  return 0;
}

function greet(): void {
  const fd = open(c`/etc/motd`, O_RDONLY);
  if (fd < 0) return;
  copyAll(fd, 1);
  close(fd);
}

/** A login shell in a session of its own, with the console as its terminal. */
function startShell(): i32 {
  const pid = fork();
  if (pid !== 0) return pid;
  setsid();
  const fd = open(c`/dev/console`, O_RDWR);
  if (fd >= 0) {
    ioctl(fd, TIOCSCTTY, 0);
    dup2(fd, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    if (fd > 2) close(fd);
  }
  chdir(c`/root`);
  const argv = allocate(8);
  store<usize>(argv, c`-sh`);
  store<usize>(argv, 0, 4);
  const envp = allocate(16);
  store<usize>(envp, c`HOME=/root`);
  store<usize>(envp, c`PATH=/bin:/sbin:/usr/bin:/usr/sbin`, 4);
  store<usize>(envp, c`TERM=linux`, 8);
  store<usize>(envp, 0, 12);
  const error = execve(c`/bin/sh`, argv, envp);
  complain(c`init`, c`/bin/sh`, error);
  sleep(1, 0);
  exit(1);
  return 0;
}
