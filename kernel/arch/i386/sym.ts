/**
 * Addresses of linker symbols: a call gives the address.
 *
 * @module
 */

/** End of the kernel's image, from the linker. */
export declare function __image_end(): usize;
export declare function __text_end(): usize;
/** The kernel's symbols: pairs of address and name, by address. */
export declare function __symbols_start(): usize;
export declare function __symbols_end(): usize;
/** The boot page directory, then the kernel's own; its upper quarter is shared by every process. */
export declare function boot_page_directory(): usize;
/** Top of the stack that boot runs on, later the idle task's. */
export declare function boot_stack_top(): usize;
export declare function boot_stack(): usize;
/** Addresses of the 49 vector stubs (0–47 and 0x80). */
export declare function vector_table(): usize;
export declare function sysenter_entry(): usize;
/** Pairs of faulting address and continuation, ended by a zero. */
export declare function exception_table(): usize;
/** Addresses of instructions that pop a selector on the way out, ended by a zero. */
export declare function selector_table(): usize;
export declare function double_fault_entry(): usize;
/** Where a new user task and a new kernel thread start. */
export declare function task_return(): usize;
export declare function kernel_thread_entry(): usize;
/** Code that is mapped into every process: system call entry and signal return. */
export declare function vsyscall_start(): usize;
export declare function vsyscall_end(): usize;
export declare function vsyscall_int80(): usize;
export declare function vsyscall_sysenter(): usize;
export declare function vsyscall_landing(): usize;
export declare function vsyscall_sigreturn(): usize;
export declare function vsyscall_rt_sigreturn(): usize;
/** Eight words for profilers (docs: introspection). */
export declare function kernel_introspection(): usize;
