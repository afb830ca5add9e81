/**
 * The files of /proc about the whole system, in the formats of proc(5).
 *
 * @module
 */
import { S_IFDIR, S_IFREG } from "../../abi/stat.ts";
import { commandLine } from "../../arch/i386/multiboot.ts";
import { cpuid_eax, cpuid_ebx, cpuid_ecx, cpuid_edx, irqCount } from "../../arch/i386/mod.ts";
import { logByte, logEnd, logStart } from "../../lib/mod.ts";
import { heapInUse, kfree, kmalloc, pagesFree, pagesTotal } from "../../mm/mod.ts";
import {
  forkCount,
  pidLast,
  processFirst,
  processSystemTicks,
  processUserTicks,
  Task,
  TASK_RUNNING,
  TASK_SLEEPING_DEEP,
  taskCount,
  taskFirst,
} from "../../proc/mod.ts";
import { PID_MAX } from "../../proc/task_list.ts";
import { loadAverage, runnableCount, switchCount } from "../../sched/mod.ts";
import { hostname, RELEASE, VERSION } from "../../syscall/mod.ts";
import { clockTscKhz, HZ, monotonicNs, realtimeNs, ticks64 } from "../../time/mod.ts";
import { cacheDirtyPages, cacheMemoryPages, cachePages } from "../cache.ts";
import { CharDevice, firstBlockDevice, firstCharDevice } from "../device_table.ts";
import { fileCount } from "../fd_table.ts";
import { dentryCount, dentryUnusedCount } from "../dentry.ts";
import { inodeCount, inodeUnusedCount } from "../inode.ts";
import { firstFileSystem } from "../mount.ts";
import { deviceMajor, FileSystemType, Inode } from "../types.ts";
import { Text, textBytes, textFormat, textNumber, textPut } from "./text.ts";
import { Generator, KIND_FILE, KIND_FOLDER, procAdd, ProcEntry } from "./tree.ts";

/** Units of times in /proc: USER_HZ. */
export const USER_HZ: u32 = 100;

/** Kernel ticks as user programs count them. */
export function userTicks(ticks: u64): u64 {
  return ticks * <u64> USER_HZ / <u64> HZ;
}

function meminfoLine(t: Text, name: usize, pages: u32): void {
  textFormat(t, c`%-16s%8u kB\n`, <u32> name, pages << 2);
}

function meminfo(t: Text, _task: Task, _inode: Inode): void {
  const free = pagesFree();
  const cached = cachePages();
  const shared = cacheMemoryPages();
  let anonymous: u32 = 0;
  for (let p = taskFirst(); p !== null; p = p!.next) {
    const mm = p.mm;
    if (mm !== null && p.process.leader === p) anonymous += mm.resident;
  }
  meminfoLine(t, c`MemTotal:`, pagesTotal());
  meminfoLine(t, c`MemFree:`, free);
  meminfoLine(t, c`MemAvailable:`, free + cached);
  meminfoLine(t, c`Buffers:`, 0);
  meminfoLine(t, c`Cached:`, cached + shared);
  meminfoLine(t, c`SwapCached:`, 0);
  meminfoLine(t, c`SwapTotal:`, 0);
  meminfoLine(t, c`SwapFree:`, 0);
  meminfoLine(t, c`Dirty:`, cacheDirtyPages());
  meminfoLine(t, c`AnonPages:`, anonymous);
  meminfoLine(t, c`Shmem:`, shared);
  meminfoLine(t, c`Slab:`, heapInUse() >> 12);
  meminfoLine(t, c`SReclaimable:`, 0);
}

const FEATURES =
  c`fpu vme de pse tsc msr pae mce cx8 apic r10 sep mtrr pge mca cmov pat pse36 pn clflush r20 dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe `;

function cpuinfo(t: Text, _task: Task, _inode: Inode): void {
  const name = kmalloc(16);
  const signature = cpuid_eax(1);
  const features = cpuid_edx(1);
  if (name === 0) return;
  store<u32>(name, cpuid_ebx(0));
  store<u32>(name, cpuid_edx(0), 4);
  store<u32>(name, cpuid_ecx(0), 8);
  store<u8>(name + 12, 0);
  let family = (signature >> 8) & 15;
  if (family === 15) family += (signature >> 20) & 0xff;
  const model = ((signature >> 4) & 15) | (((signature >> 16) & 15) << 4);
  textFormat(t, c`processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\n`, <u32> name, family);
  textFormat(
    t,
    c`model\t\t: %u\nmodel name\t: %s family %u model %u\n`,
    model,
    <u32> name,
    family,
    model,
  );
  textFormat(t, c`stepping\t: %u\n`, signature & 15);
  kfree(name);
  const khz = clockTscKhz();
  if (khz !== 0) textFormat(t, c`cpu MHz\t\t: %u.%03u\n`, khz / 1000, khz % 1000);
  textFormat(
    t,
    c`fpu\t\t: %s\ncpuid level\t: %u\nwp\t\t: yes\n`,
    <u32> yes(features & 1),
    cpuid_eax(0),
  );
  textPut(t, c`flags\t\t:`);
  let at = FEATURES;
  for (let bit: u32 = 0; bit < 32; bit++) {
    let length: u32 = 0;
    while (load<u8>(at + length) !== 0x20 && load<u8>(at + length) !== 0) length++;
    // Bits without a name are r10 and r20.
    if ((features & (1 << bit)) !== 0 && bit !== 10 && bit !== 20) {
      textPut(t, c` `);
      textBytes(t, at, length);
    }
    at += length + 1;
  }
  textFormat(t, c`\nbogomips\t: %u.%02u\n\n`, khz / 500, khz / 5 % 100);
}

function yes(bit: u32): usize {
  return bit !== 0 ? c`yes` : c`no`;
}

/** Seconds with two decimals. */
function hundredths(t: Text, ns: u64): void {
  const all = ns / 10000000;
  textNumber(t, all / 100);
  textFormat(t, c`.%02u`, <u32> (all % 100));
}

/** Ticks in which some process ran. */
function busyTicks(system: bool): u64 {
  let n: u64 = 0;
  for (let p = processFirst(); p !== null; p = p!.next) {
    // Process 0 is the idle task and the kernel's threads.
    if (p.pid === 0) continue;
    n += <u64> (system ? processSystemTicks(p) : processUserTicks(p));
    n += <u64> (system ? p.childSystemTicks : p.childUserTicks);
  }
  return n;
}

function idleTicks(): u64 {
  const all = ticks64();
  const busy = busyTicks(true) + busyTicks(false);
  return all > busy ? all - busy : 0;
}

function uptime(t: Text, _task: Task, _inode: Inode): void {
  hundredths(t, monotonicNs());
  textPut(t, c` `);
  hundredths(t, idleTicks() * <u64> (1000000000 / HZ));
  textPut(t, c`\n`);
}

function loadavg(t: Text, _task: Task, _inode: Inode): void {
  for (let i: u32 = 0; i < 3; i++) {
    // 11 fractional bits, rounded to hundredths.
    const load = loadAverage(i) + 10;
    textFormat(t, c`%u.%02u `, load >> 11, ((load & 2047) * 100) >> 11);
  }
  textFormat(t, c`%u/%u %u\n`, runnableCount(), taskCount(), pidLast());
}

function version(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`Linux version %s (AssemblyScript) %s\n`, <u32> RELEASE, <u32> VERSION);
}

function stat(t: Text, _task: Task, _inode: Inode): void {
  let running: u32 = 0;
  let blocked: u32 = 0;
  for (let p = taskFirst(); p !== null; p = p!.next) {
    if (p.state === TASK_RUNNING) running++;
    else if (p.state === TASK_SLEEPING_DEEP && !p.isKernelThread) blocked++;
  }
  for (let line: u32 = 0; line < 2; line++) {
    textPut(t, line === 0 ? c`cpu  ` : c`cpu0 `);
    textNumber(t, userTicks(busyTicks(false)));
    textPut(t, c` 0 `);
    textNumber(t, userTicks(busyTicks(true)));
    textPut(t, c` `);
    textNumber(t, userTicks(idleTicks()));
    textPut(t, c` 0 0 0 0 0 0\n`);
  }
  let all: u32 = 0;
  for (let i: u32 = 0; i < 16; i++) all += irqCount(i);
  textFormat(t, c`intr %u`, all);
  for (let i: u32 = 0; i < 16; i++) textFormat(t, c` %u`, irqCount(i));
  const booted = (realtimeNs() - monotonicNs()) / 1000000000;
  textFormat(t, c`\nctxt %u\nbtime %u\nprocesses %u\n`, switchCount(), <u32> booted, forkCount());
  textFormat(t, c`procs_running %u\nprocs_blocked %u\n`, running, blocked);
}

function vmstat(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`nr_free_pages %u\nnr_file_pages %u\n`, pagesFree(), cachePages());
  textFormat(t, c`nr_dirty %u\nnr_shmem %u\n`, cacheDirtyPages(), cacheMemoryPages());
  let read: u32 = 0;
  let written: u32 = 0;
  for (let d = firstBlockDevice(); d !== null; d = d!.next) {
    if (d.parent !== null) continue;
    read += d.readSectors >> 1;
    written += d.writtenSectors >> 1;
  }
  textFormat(t, c`pgpgin %u\npgpgout %u\npswpin 0\npswpout 0\n`, read, written);
  let minor: u32 = 0;
  let major: u32 = 0;
  for (let p = taskFirst(); p !== null; p = p!.next) {
    minor += p.minorFaults;
    major += p.majorFaults;
  }
  textFormat(t, c`pgfault %u\npgmajfault %u\n`, minor + major, major);
}

function cmdline(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, commandLine());
  textPut(t, c`\n`);
}

function fileSystemLine(t: Text, type: FileSystemType | null): void {
  if (type === null) return;
  // The list is newest first.
  fileSystemLine(t, type.next);
  textFormat(t, type.needsDevice ? c`\t%s\n` : c`nodev\t%s\n`, <u32> type.name);
}

function filesystems(t: Text, _task: Task, _inode: Inode): void {
  fileSystemLine(t, firstFileSystem());
}

function partitions(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`major minor  #blocks  name\n\n`);
  for (let d = firstBlockDevice(); d !== null; d = d!.next) {
    textFormat(t, c`%4u  %7u %10u %s\n`, d.major, d.minor, <u32> (d.sectors >> 1), <u32> d.name);
  }
}

function diskstats(t: Text, _task: Task, _inode: Inode): void {
  for (let d = firstBlockDevice(); d !== null; d = d!.next) {
    textFormat(t, c`%4u %7u %s %u 0 `, d.major, d.minor, <u32> d.name, d.reads);
    textFormat(t, c`%u 0 %u 0 %u 0 0 0 0\n`, d.readSectors, d.writes, d.writtenSectors);
  }
}

/** True when an earlier character device of the list has the same major number. */
function isRepeated(device: CharDevice, major: u32): bool {
  for (let d = firstCharDevice(); d !== null && d !== device; d = d!.next) {
    if (deviceMajor(d.number) === major) return true;
  }
  return false;
}

function devices(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`Character devices:\n`);
  for (let d = firstCharDevice(); d !== null; d = d!.next) {
    const major = deviceMajor(d.number);
    if (!isRepeated(d, major)) textFormat(t, c`%3u %s\n`, major, <u32> d.name);
  }
  textPut(t, c`\nBlock devices:\n`);
  for (let d = firstBlockDevice(); d !== null; d = d!.next) {
    if (d.parent === null) textFormat(t, c`%3u %s\n`, d.major, <u32> d.name);
  }
}

function interrupts(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`           CPU0\n`);
  for (let i: u32 = 0; i < 16; i++) {
    const count = irqCount(i);
    if (count !== 0) textFormat(t, c`%3u: %10u    XT-PIC  irq%u\n`, i, count, i);
  }
}

function swaps(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n`);
}

function kmsg(t: Text, _task: Task, _inode: Inode): void {
  const byte = kmalloc(1);
  if (byte === 0) return;
  for (let at = logStart(); at !== logEnd(); at++) {
    store<u8>(byte, <u8> logByte(at));
    textBytes(t, byte, 1);
  }
  kfree(byte);
}

function osRelease(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%s\n`, <u32> RELEASE);
}
function osType(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`Linux\n`);
}
function osVersion(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%s\n`, <u32> VERSION);
}
function hostName(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%s\n`, <u32> hostname());
}
function pidMax(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%u\n`, PID_MAX);
}
function groupsMax(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`65536\n`);
}
function lastCapability(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`40\n`);
}
function fileNumbers(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%u\t0\t65536\n`, fileCount());
}
function inodeNumbers(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%u\t%u\t0\t0\t0\t0\t0\n`, inodeCount(), inodeUnusedCount());
}
function dentryNumbers(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%u\t%u\t45\t0\t0\t0\n`, dentryCount(), dentryUnusedCount());
}

function file(folder: ProcEntry, name: usize, generate: Generator): void {
  procAdd(folder, name, KIND_FILE, S_IFREG | 0o444, generate);
}

function folder(parent: ProcEntry, name: usize): ProcEntry {
  return procAdd(parent, name, KIND_FOLDER, S_IFDIR | 0o555, null);
}

/** Adds the files of this module to /proc. */
export function procSystemInit(root: ProcEntry): void {
  file(root, c`meminfo`, meminfo);
  file(root, c`cpuinfo`, cpuinfo);
  file(root, c`uptime`, uptime);
  file(root, c`loadavg`, loadavg);
  file(root, c`version`, version);
  file(root, c`stat`, stat);
  file(root, c`vmstat`, vmstat);
  file(root, c`cmdline`, cmdline);
  file(root, c`filesystems`, filesystems);
  file(root, c`partitions`, partitions);
  file(root, c`diskstats`, diskstats);
  file(root, c`devices`, devices);
  file(root, c`interrupts`, interrupts);
  file(root, c`swaps`, swaps);
  procAdd(root, c`kmsg`, KIND_FILE, S_IFREG | 0o400, kmsg);
  const sys = folder(root, c`sys`);
  const kernel = folder(sys, c`kernel`);
  file(kernel, c`osrelease`, osRelease);
  file(kernel, c`ostype`, osType);
  file(kernel, c`version`, osVersion);
  file(kernel, c`hostname`, hostName);
  file(kernel, c`pid_max`, pidMax);
  file(kernel, c`ngroups_max`, groupsMax);
  file(kernel, c`cap_last_cap`, lastCapability);
  const fs = folder(sys, c`fs`);
  file(fs, c`file-nr`, fileNumbers);
  file(fs, c`inode-state`, inodeNumbers);
  file(fs, c`dentry-state`, dentryNumbers);
}
