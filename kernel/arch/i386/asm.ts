/**
 * Routines of the assembly files, called with the kernel's convention (eax, edx, ecx).
 *
 * @module
 */

/** Saves the caller's context with ESP in `*save` and continues the one whose ESP is `next`. */
export declare function switch_context(save: usize, next: usize): void;
/** Loads the code segment and the data segments after a new GDT. */
export declare function load_segments(code: u32, data: u32): void;
/** Leaves the kernel through the trap frame at `frame`. */
export declare function resume_frame(frame: usize): void;
/** Copies; a fault ends it. The bytes that were not copied. */
export declare function copy_user(destination: usize, source: usize, count: u32): u32;
/** Clears; a fault ends it. The bytes that were not cleared. */
export declare function clear_user(destination: usize, count: u32): u32;
/** Copies a string with its NUL, at most `count` bytes: its length, `count` if none ended, -14 on a fault. */
export declare function copy_user_string(destination: usize, source: usize, count: u32): i32;
/** Compares and exchanges a word of user memory: 0 done, 1 different, -14 on a fault. */
export declare function cmpxchg_user(address: usize, expected: u32, value: u32): i32;
/** Stores a word in user memory: 0, or -14 on a fault. */
export declare function put_user(address: usize, value: u32): i32;
/** Loads a word of user memory: the value in the low half; 0, or -14 on a fault, in the high half. */
export declare function get_user(address: usize): u64;
