/**
 * Addresses of linker symbols.
 *
 * @module
 */
/** First byte after the program's data: where the heap begins. */
export declare function __image_end(): usize;
/** Where signal handlers return to (start.s). */
export declare function signal_return(): usize;
