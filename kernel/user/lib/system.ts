/**
 * System calls by their POSIX names. Results are as the kernel gives them: negative is -errno.
 *
 * @module
 */
import {
  SYS_ACCESS,
  SYS_CHDIR,
  SYS_CLOCK_GETTIME64,
  SYS_CLOCK_NANOSLEEP,
  SYS_CLOSE,
  SYS_DUP2,
  SYS_EXECVE,
  SYS_EXIT_GROUP,
  SYS_FCNTL64,
  SYS_FORK,
  SYS_FSTATAT64,
  SYS_GETCWD,
  SYS_GETDENTS64,
  SYS_GETPGID,
  SYS_GETPID,
  SYS_GETPPID,
  SYS_GETUID32,
  SYS_IOCTL,
  SYS_KILL,
  SYS_LINK,
  SYS_LLSEEK,
  SYS_MKDIR,
  SYS_MOUNT,
  SYS_OPENAT,
  SYS_PIPE2,
  SYS_READ,
  SYS_READLINK,
  SYS_REBOOT,
  SYS_RENAME,
  SYS_RMDIR,
  SYS_RT_SIGACTION,
  SYS_RT_SIGPROCMASK,
  SYS_RT_SIGSUSPEND,
  SYS_SETPGID,
  SYS_SETSID,
  SYS_STATFS64,
  SYS_SYMLINK,
  SYS_SYNC,
  SYS_SYSINFO,
  SYS_SYSLOG,
  SYS_UMASK,
  SYS_UMOUNT2,
  SYS_UNAME,
  SYS_UNLINK,
  SYS_UTIMENSAT,
  SYS_WAIT4,
  SYS_WRITE,
} from "../../abi/syscall.ts";
import { signal_return } from "./sym.ts";
import { syscall0, syscall1, syscall2, syscall3, syscall4, syscall5 } from "./x86.ts";

export const AT_FDCWD: i32 = -100;
export const O_RDONLY: u32 = 0;
export const O_WRONLY: u32 = 1;
export const O_RDWR: u32 = 2;
export const O_CREAT: u32 = 0o100;
export const O_EXCL: u32 = 0o200;
export const O_TRUNC: u32 = 0o1000;
export const O_APPEND: u32 = 0o2000;
export const O_DIRECTORY: u32 = 0o200000;
export const O_CLOEXEC: u32 = 0o2000000;
const O_LARGEFILE: u32 = 0o100000;

export const WNOHANG: u32 = 1;
export const WUNTRACED: u32 = 2;

export const SIGHUP: u32 = 1;
export const SIGINT: u32 = 2;
export const SIGQUIT: u32 = 3;
export const SIGKILL: u32 = 9;
export const SIGUSR1: u32 = 10;
export const SIGPIPE: u32 = 13;
export const SIGALRM: u32 = 14;
export const SIGTERM: u32 = 15;
export const SIGCHLD: u32 = 17;
export const SIGCONT: u32 = 18;
export const SIGSTOP: u32 = 19;
export const SIGTSTP: u32 = 20;
export const SIGTTIN: u32 = 21;
export const SIGTTOU: u32 = 22;
/** Dispositions. */
export const SIG_DFL: usize = 0;
export const SIG_IGN: usize = 1;

const SA_RESTORER: u32 = 0x04000000;
export const SA_RESTART: u32 = 0x10000000;

/** The type bits of a mode. */
export const S_IFMT: u32 = 0o170000;
export const S_IFSOCK: u32 = 0o140000;
export const S_IFLNK: u32 = 0o120000;
export const S_IFREG: u32 = 0o100000;
export const S_IFBLK: u32 = 0o060000;
export const S_IFDIR: u32 = 0o040000;
export const S_IFCHR: u32 = 0o020000;
export const S_IFIFO: u32 = 0o010000;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;

export function exit(status: i32): void {
  syscall1(SYS_EXIT_GROUP, status);
  unreachable();
}
export function read(fd: i32, buffer: usize, count: u32): i32 {
  return syscall3(SYS_READ, fd, buffer, count);
}
export function write(fd: i32, buffer: usize, count: u32): i32 {
  return syscall3(SYS_WRITE, fd, buffer, count);
}
export function open(path: usize, flags: u32, mode: u32 = 0): i32 {
  return syscall4(SYS_OPENAT, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
export function close(fd: i32): i32 {
  return syscall1(SYS_CLOSE, fd);
}
export function fork(): i32 {
  return syscall0(SYS_FORK);
}
export function execve(path: usize, argv: usize, envp: usize): i32 {
  return syscall3(SYS_EXECVE, path, argv, envp);
}
/** @param status where the wait status goes, or 0 */
export function waitpid(pid: i32, status: usize, options: u32): i32 {
  return syscall4(SYS_WAIT4, pid, status, options, 0);
}
export function chdir(path: usize): i32 {
  return syscall1(SYS_CHDIR, path);
}
export function getcwd(buffer: usize, bytes: u32): i32 {
  return syscall2(SYS_GETCWD, buffer, bytes);
}
export function getpid(): i32 {
  return syscall0(SYS_GETPID);
}
export function getppid(): i32 {
  return syscall0(SYS_GETPPID);
}
export function getuid(): i32 {
  return syscall0(SYS_GETUID32);
}
export function setpgid(pid: i32, group: i32): i32 {
  return syscall2(SYS_SETPGID, pid, group);
}
export function getpgid(pid: i32): i32 {
  return syscall1(SYS_GETPGID, pid);
}
export function setsid(): i32 {
  return syscall0(SYS_SETSID);
}
export function kill(pid: i32, signal: u32): i32 {
  return syscall2(SYS_KILL, pid, signal);
}
export function umask(mask: u32): i32 {
  return syscall1(SYS_UMASK, mask);
}
export function access(path: usize, mode: u32): i32 {
  return syscall2(SYS_ACCESS, path, mode);
}
export function dup2(from: i32, to: i32): i32 {
  return syscall2(SYS_DUP2, from, to);
}
const F_DUPFD_CLOEXEC: u32 = 1030;
/** A copy of `fd` at `least` or above that does not survive exec. */
export function dupAbove(fd: i32, least: i32): i32 {
  return syscall3(SYS_FCNTL64, fd, F_DUPFD_CLOEXEC, least);
}
/** @param ends two i32: reading, writing */
export function pipe(ends: usize): i32 {
  return syscall2(SYS_PIPE2, ends, 0);
}
export function unlink(path: usize): i32 {
  return syscall1(SYS_UNLINK, path);
}
export function rmdir(path: usize): i32 {
  return syscall1(SYS_RMDIR, path);
}
export function mkdir(path: usize, mode: u32): i32 {
  return syscall2(SYS_MKDIR, path, mode);
}
export function rename(from: usize, to: usize): i32 {
  return syscall2(SYS_RENAME, from, to);
}
export function link(from: usize, to: usize): i32 {
  return syscall2(SYS_LINK, from, to);
}
export function symlink(target: usize, path: usize): i32 {
  return syscall2(SYS_SYMLINK, target, path);
}
export function readlink(path: usize, buffer: usize, bytes: u32): i32 {
  return syscall3(SYS_READLINK, path, buffer, bytes);
}
/** Sets both times of a file to now. */
export function touch(path: usize): i32 {
  return syscall4(SYS_UTIMENSAT, AT_FDCWD, path, 0, 0);
}
export function sync(): void {
  syscall0(SYS_SYNC);
}
export function ioctl(fd: i32, request: u32, argument: usize): i32 {
  return syscall3(SYS_IOCTL, fd, request, argument);
}
export function getdents(fd: i32, buffer: usize, bytes: u32): i32 {
  return syscall3(SYS_GETDENTS64, fd, buffer, bytes);
}
export function uname(buffer: usize): i32 {
  return syscall1(SYS_UNAME, buffer);
}
export function sysinfo(buffer: usize): i32 {
  return syscall1(SYS_SYSINFO, buffer);
}
export function syslog(type: i32, buffer: usize, bytes: u32): i32 {
  return syscall3(SYS_SYSLOG, type, buffer, bytes);
}
export function mount(source: usize, target: usize, type: usize, flags: u32, data: usize): i32 {
  return syscall5(SYS_MOUNT, source, target, type, flags, data);
}
export function umount(target: usize): i32 {
  return syscall2(SYS_UMOUNT2, target, 0);
}
/** @param buffer 84 bytes: struct statfs64 */
export function statfs(path: usize, buffer: usize): i32 {
  return syscall3(SYS_STATFS64, path, 84, buffer);
}
/** reboot(2) with Linux's magic numbers; `command` is RB_POWER_OFF and the like. */
export function reboot(command: u32): i32 {
  return syscall4(SYS_REBOOT, 0xfee1dead, 672274793, command, 0);
}

const OFFSET = memory.data(8, 8);
/** Moves the file's offset; returns the new one, truncated to 31 bits, or -errno. */
export function seek(fd: i32, offset: i64, whence: u32): i32 {
  const result = syscall5(SYS_LLSEEK, fd, <u32> (offset >> 32), <u32> offset, OFFSET, whence);
  return result < 0 ? result : <i32> (load<u32>(OFFSET) & 0x7fffffff);
}

const STAT_BYTES: u32 = 96;

/** The kernel's struct stat64 of i386, 96 bytes, u64 4-aligned: read through these accessors. */
@unmanaged
export class Stat {
  private words0: u64;
  private words1: u64;
  private words2: u64;
  private words3: u64;
  private words4: u64;
  private words5: u64;
  private words6: u64;
  private words7: u64;
  private words8: u64;
  private words9: u64;
  private words10: u64;
  private words11: u64;

  get device(): u32 {
    return load<u32>(changetype<usize>(this));
  }
  get mode(): u32 {
    return load<u32>(changetype<usize>(this), 16);
  }
  get links(): u32 {
    return load<u32>(changetype<usize>(this), 20);
  }
  get uid(): u32 {
    return load<u32>(changetype<usize>(this), 24);
  }
  get gid(): u32 {
    return load<u32>(changetype<usize>(this), 28);
  }
  /** Device number of a device node, low word. */
  get rdevice(): u32 {
    return load<u32>(changetype<usize>(this), 32);
  }
  get size(): u64 {
    return load<u64>(changetype<usize>(this), 44);
  }
  /** Blocks of 512 bytes. */
  get blocks(): u64 {
    return load<u64>(changetype<usize>(this), 56);
  }
  /** Modification time in seconds. */
  get mtime(): u32 {
    return load<u32>(changetype<usize>(this), 72);
  }
  get inode(): u64 {
    return load<u64>(changetype<usize>(this), 88);
  }
  get isDirectory(): bool {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
}

/** fstatat64(2): follows a symbolic link at the end if `follow`. */
export function stat(path: usize, into: Stat, follow: bool = true): i32 {
  memory.fill(changetype<usize>(into), 0, STAT_BYTES);
  return syscall4(
    SYS_FSTATAT64,
    AT_FDCWD,
    path,
    changetype<usize>(into),
    follow ? 0 : AT_SYMLINK_NOFOLLOW,
  );
}

const ACTION = memory.data(20, 4);
/** Sets a signal's disposition: SIG_DFL, SIG_IGN or a handler; `flags` as sa_flags. */
export function setSignal(signal: u32, handler: usize, flags: u32 = SA_RESTART): i32 {
  store<usize>(ACTION, handler);
  store<u32>(ACTION, flags | SA_RESTORER, 4);
  store<usize>(ACTION, signal_return(), 8);
  store<u64>(ACTION, 0, 12);
  return syscall4(SYS_RT_SIGACTION, signal, ACTION, 0, 8);
}

/** The address of a function, to be called with the C convention for one argument (see start.s). */
/*@inline*/ export function handlerOf(routine: usize): usize {
  return routine;
}

const SET = memory.data(16, 8);
export const SIG_BLOCK: u32 = 0;
export const SIG_UNBLOCK: u32 = 1;
export const SIG_SETMASK: u32 = 2;
/** Changes the signal mask by the bits of `mask` (bit n-1 for signal n). */
export function maskSignals(how: u32, mask: u64): i32 {
  store<u64>(SET, mask);
  return syscall4(SYS_RT_SIGPROCMASK, how, SET, 0, 8);
}
/** Waits for a signal with the mask `mask`. */
export function suspend(mask: u64): i32 {
  store<u64>(SET, mask);
  return syscall2(SYS_RT_SIGSUSPEND, SET, 8);
}

const TIME = memory.data(16, 8);
/** Seconds since 1970 (CLOCK_REALTIME). */
export function now(): i64 {
  syscall2(SYS_CLOCK_GETTIME64, 0, TIME);
  return load<i64>(TIME);
}
const CLOCK_MONOTONIC: u32 = 1;
/** Sleeps; -EINTR when a signal came. */
export function sleep(seconds: u32, nanoseconds: u32): i32 {
  store<u32>(TIME, seconds);
  store<u32>(TIME, nanoseconds, 4);
  return syscall4(SYS_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, 0, TIME, 0);
}
