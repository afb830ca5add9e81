/**
 * Register numbers as the instruction encodings use them (SDM vol. 2A §2.1.5, table 2-2) and the
 * calling convention of the back end, which is `gcc -mregparm=3`:
 *
 * - the first words of the arguments travel in eax, edx, ecx; a 64-bit argument is never split, and
 *   once one argument did not fit, all that follow are pushed too (right to left, the caller pops);
 * - the result is in eax, or edx:eax for 64 bits;
 * - ebx, esi, edi and ebp belong to the caller; eax, ecx, edx do not survive a call;
 * - ebp always points to the frame (saved ebp, return address), the direction flag is clear.
 *
 * @module
 */

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;

/** First number of a virtual register; smaller ones are the machine's own. */
export const FIRST_VIRTUAL = 8;

/** Registers that the allocator may hand out, those that need no saving first. */
export const ALLOCATABLE: readonly number[] = [EAX, ECX, EDX, EBX, ESI, EDI];

/** Registers that a function must give back unchanged, in the order of their pushes. */
export const CALLEE_SAVED: readonly number[] = [EBX, ESI, EDI];

/** Registers that a call may change. */
export const CALLER_SAVED: readonly number[] = [EAX, ECX, EDX];

/** Registers of the leading argument words. */
export const ARGUMENT_REGISTERS: readonly number[] = [EAX, EDX, ECX];

/** Registers of a result, low word first. */
export const RESULT_REGISTERS: readonly number[] = [EAX, EDX];
