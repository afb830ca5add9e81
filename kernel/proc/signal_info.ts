/**
 * A pending signal, with what siginfo_t tells about it.
 *
 * @module
 */

/** One pending signal. The last words depend on `code`, as in siginfo_t. */
/*@unmanaged*/
export class SignalInfo {
  next: SignalInfo | null;
  signal: i32;
  error: i32;
  code: i32;
  /** si_pid or si_addr or si_timerid. */
  a: u32;
  /** si_uid or si_overrun. */
  b: u32;
  /** si_status or si_value. */
  c: u32;
  /** si_utime. */
  d: u32;
  /** si_stime. */
  e: u32;
}
