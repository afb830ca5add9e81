/**
 * What happens to the processor that is no instruction of a block: interrupts, exceptions, ports, registers of the
 * system, system calls.
 *
 * @module
 */

/** A port access by IN, OUT, INS or OUTS. */
export interface PortAccess {
  /** Port number, 0..65535. */
  readonly port: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4;
  /** What was read or written, unsigned. */
  readonly value: number;
  /** Whether it was OUT or OUTS. */
  readonly write: boolean;
  /** The name of the device that answers there, "" where nothing is. */
  readonly device: string;
}

/** What changed the flow; `software` is INT n, `iret` the return. */
export type DiscontinuityType = "interrupt" | "exception" | "software" | "iret";

/** A change of flow that no instruction asked for, or that goes through a gate (QEMU's discontinuity). */
export interface Discontinuity {
  /** What changed the flow. */
  readonly type: DiscontinuityType;
  /** Vector 0..255; for `iret`, -1. */
  readonly vector: number;
  /** The error code that the CPU pushed, if the vector has one. */
  readonly errorCode: number | undefined;
  /** EIP (linear) of the instruction that did not run, faulted or asked. */
  readonly from: number;
  /** Linear address of the next instruction to run. */
  readonly to: number;
  /** CR2 for a page fault, else 0. */
  readonly address: number;
}

/** MOV to CR0, CR3 or CR4, or a task switch. */
export interface ControlRegisterWrite {
  /** 0, 3 or 4. */
  readonly register: number;
  /** What was written, unsigned. */
  readonly value: number;
}

/** How system calls of a guest look. */
export interface SyscallAbi {
  /** For messages. */
  readonly name: string;
  /** The vector of INT that asks for one, 0..255. */
  readonly vector: number;
  /** The register that holds the number. */
  readonly number: string;
  /** The registers that hold the arguments in order, up to eight. */
  readonly args: readonly string[];
  /** The register that holds the result on return. */
  readonly result: string;
  /** SYSENTER's differences; absent: SYSENTER is no system call. */
  readonly sysenter?: {
    /** Bytes from SYSENTER to where the kernel returns to. */
    readonly returnOffset: number;
    /** The argument (index) that lies in memory at the address which its register holds. */
    readonly indirect?: number;
  };
}

/** A system call that is about to be made. */
export interface Syscall {
  /** The number of the call. */
  readonly number: number;
  /** The arguments, unsigned 32-bit words, as many as the ABI has. */
  readonly args: readonly number[];
  /** Linear address of the instruction. */
  readonly address: number;
  /** The instruction. */
  readonly by: "int" | "sysenter";
}

/** A system call that returns to the program. */
export interface SyscallReturn {
  /** The call that was made. */
  readonly call: Syscall;
  /** The number of the call. */
  readonly number: number;
  /** What the kernel gives back, signed: Linux's errors are -4095..-1. */
  readonly result: number;
}
