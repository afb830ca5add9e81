/**
 * Instructions that the compiler expands inline. Ports and addresses are 32-bit words; narrow
 * results are zero-extended. Nothing here is moved, merged or dropped by an optimiser.
 *
 * @module
 */

/** Port input and output (SDM vol. 1 §19). */
export declare function inb(port: u32): u32;
export declare function inw(port: u32): u32;
export declare function inl(port: u32): u32;
export declare function outb(port: u32, value: u32): void;
export declare function outw(port: u32, value: u32): void;
export declare function outl(port: u32, value: u32): void;
/** `count` units between a port and memory. */
export declare function insw(port: u32, address: usize, count: u32): void;
export declare function insl(port: u32, address: usize, count: u32): void;
export declare function outsw(port: u32, address: usize, count: u32): void;
export declare function outsl(port: u32, address: usize, count: u32): void;

export declare function cli(): void;
export declare function sti(): void;
export declare function hlt(): void;
export declare function pause(): void;
export declare function ud2(): void;
export declare function int3(): void;
export declare function clts(): void;
export declare function eflags(): u32;
export declare function set_eflags(value: u32): void;
export declare function ebp(): usize;
export declare function rdtsc(): u64;
export declare function rdmsr(register: u32): u64;
export declare function wrmsr(register: u32, value: u64): void;
export declare function cpuid_eax(leaf: u32): u32;
export declare function cpuid_ebx(leaf: u32): u32;
export declare function cpuid_ecx(leaf: u32): u32;
export declare function cpuid_edx(leaf: u32): u32;

/** Descriptor tables, by the address of a pseudo-descriptor or by selector. */
export declare function lgdt(pointer: usize): void;
export declare function lidt(pointer: usize): void;
export declare function lldt(selector: u32): void;
export declare function ltr(selector: u32): void;
export declare function set_fs(selector: u32): void;
export declare function set_gs(selector: u32): void;
export declare function invlpg(address: usize): void;
export declare function cr0(): u32;
export declare function cr2(): u32;
export declare function cr3(): u32;
export declare function cr4(): u32;
export declare function set_cr0(value: u32): void;
export declare function set_cr3(value: u32): void;
export declare function set_cr4(value: u32): void;

/** Accesses that are done exactly as written, once each. */
export declare function vload8(address: usize): u32;
export declare function vload16(address: usize): u32;
export declare function vload32(address: usize): u32;
export declare function vstore8(address: usize, value: u32): void;
export declare function vstore16(address: usize, value: u32): void;
export declare function vstore32(address: usize, value: u32): void;

/** `count` units; the direction flag is clear. */
export declare function repmovsb(destination: usize, source: usize, count: u32): void;
export declare function repmovsd(destination: usize, source: usize, count: u32): void;
export declare function repstosb(destination: usize, value: u32, count: u32): void;
export declare function repstosd(destination: usize, value: u32, count: u32): void;

/** Floating-point state: 108 bytes for FNSAVE, 512 bytes at a multiple of 16 for FXSAVE. */
export declare function fninit(): void;
export declare function fnsave(address: usize): void;
export declare function frstor(address: usize): void;
export declare function fxsave(address: usize): void;
export declare function fxrstor(address: usize): void;
