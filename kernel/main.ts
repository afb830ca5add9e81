import { earlyConsole, printk } from "./lib/mod.ts";
import { earlySerialInit, earlySerialWrite } from "./arch/i386/early.ts";
import { multibootRead } from "./arch/i386/multiboot.ts";
import { TrapFrame } from "./arch/i386/mod.ts";
import { hlt } from "./arch/i386/x86.ts";
import { lock, Mutex, unlock } from "./sync/mod.ts";
import { Transfer, transferUser } from "./mm/mod.ts";
import { clockInit } from "./time/mod.ts";
import { gdtInit } from "./arch/i386/gdt.ts";
import { idtInit } from "./arch/i386/idt.ts";
export function kernel_main(magic: u32, info: u32): void {
  earlySerialInit();
  earlyConsole(earlySerialWrite);
  printk(c`hello %x\n`, magic);
  multibootRead(magic, info);
  if (magic == 1) {
    clockInit();
    lock(changetype<Mutex>(3));
    transferUser(1, 2);
    gdtInit(1);
    idtInit();
  }
  hlt();
}
export function interrupt_handler(frame: TrapFrame): void {}
export function exception_handler(frame: TrapFrame): void {}
export function page_fault_handler(frame: TrapFrame): void {}
export function syscall_handler(frame: TrapFrame): void {}
export function sysenter_handler(frame: TrapFrame): void {}
export function user_return(frame: TrapFrame): void {}
export function kernel_thread_start(frame: TrapFrame): void {}
export function double_fault_handler(): void {}
