/**
 * What the entry stubs push: the registers of whoever was interrupted, at the top of its kernel stack.
 *
 * @module
 */

/** Saved registers, in the order of the stubs in entry.s. */
/*@unmanaged*/
export class TrapFrame {
  ebx: u32;
  ecx: u32;
  edx: u32;
  esi: u32;
  edi: u32;
  ebp: u32;
  eax: u32;
  ds: u32;
  es: u32;
  fs: u32;
  gs: u32;
  /** Vector; for system calls 0x80. */
  vector: u32;
  /** Error code; for system calls the number, -1 once a restart is out of the question. */
  error: u32;
  eip: u32;
  cs: u32;
  eflags: u32;
  /* Only when it came from user mode. */
  esp: u32;
  ss: u32;

  /** It interrupted user code. */
  get fromUser(): bool {
    return (this.cs & 3) !== 0;
  }
}

/** Bytes of a frame from user mode. */
export const FRAME_SIZE: u32 = 72;
