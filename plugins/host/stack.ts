/**
 * Walks the guest's stack by frame pointers: bounded, without side effects, and with the fix-up that a
 * stop inside a prologue or epilogue needs, where EBP is not yet or no longer the function's own.
 *
 * @module
 */

/** What the walk reads of the machine. */
export interface StackSource {
  readonly eip: number;
  readonly esp: number;
  readonly ebp: number;
  /** A little-endian word at a linear address, or undefined if it is not mapped to RAM. */
  word(address: number): number | undefined;
  byte(address: number): number | undefined;
  /** Start of the function that covers the address, if a symbol table knows it. */
  functionStart(address: number): number | undefined;
  /** Whether the address belongs to the kernel. */
  isKernel(address: number): boolean;
}

const PUSH_EBP = 0x55;
const RET = 0xc3;
const RET_IMM16 = 0xc2;

/**
 * The addresses of the stack's frames, innermost first: EIP, then return addresses. User code without
 * frame pointers leaves any value in EBP, so a return address within it counts only if a CALL precedes
 * it. What the kernel's entry links as its caller is where the program was interrupted.
 */
export function walkStack(source: StackSource, limit: number): number[] {
  const frames = [source.eip];
  let ebp = source.ebp;
  const pending = returnAddressOnTop(source);
  if (pending !== undefined) {
    const address = source.word(pending);
    if (address !== undefined && plausible(source, address)) frames.push(address);
  }
  let floor = 0;
  let inKernel = source.isKernel(source.eip);
  while (frames.length < limit) {
    if (ebp === 0 || (ebp & 3) !== 0 || ebp < floor) break;
    const caller = source.word(ebp);
    const address = source.word((ebp + 4) >>> 0);
    if (caller === undefined || address === undefined || address === 0) break;
    const kernel = source.isKernel(address);
    if (kernel && !inKernel) break; // a user frame is never called by the kernel's stack
    // The kernel's entry links the interrupted place, which no CALL precedes.
    if (!inKernel && !plausible(source, address)) break;
    frames.push(address);
    // Each stack grows towards lower addresses, so callers lie higher; the user's stack starts anew.
    floor = kernel === inKernel ? ebp + 8 : 0;
    inKernel = kernel;
    ebp = caller;
  }
  return frames;
}

/** Where the return address lies when EBP still (or again) belongs to the caller. */
function returnAddressOnTop(source: StackSource): number | undefined {
  const start = source.functionStart(source.eip);
  if (start !== undefined && source.byte(start) === PUSH_EBP) {
    if (source.eip === start) return source.esp;
    if (source.eip === start + 1) return (source.esp + 4) >>> 0;
  }
  const opcode = source.byte(source.eip);
  return opcode === RET || opcode === RET_IMM16 ? source.esp : undefined;
}

function plausible(source: StackSource, address: number): boolean {
  return source.isKernel(address) || afterCall(source, address);
}

/** Whether the bytes before a return address end in CALL (SDM vol. 2, CALL: E8 cd, FF /2). */
function afterCall(source: StackSource, address: number): boolean {
  if (source.byte(address - 5) === 0xe8) return true;
  for (const length of [2, 3, 4, 6, 7]) {
    const modrm = source.byte(address - length + 1);
    if (source.byte(address - length) === 0xff && modrm !== undefined && (modrm & 0x38) === 0x10) {
      return true;
    }
  }
  return false;
}
