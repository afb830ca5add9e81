/**
 * true: succeeds.
 *
 * @module
 */
export function main(_argc: i32, _argv: usize): i32 {
  return 0;
}
