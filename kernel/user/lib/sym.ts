/**
 * Addresses of linker symbols.
 *
 * @module
 */
/** Where signal handlers return to (start.s). */
export declare function signal_return(): usize;
/** A signal handler that sets the signal's byte in {@link signals_noted} (start.s). */
export declare function note_signal(): usize;
/** 65 bytes, one a signal. */
export declare function signals_noted(): usize;
