/**
 * false: fails with status 1.
 *
 * @module
 */
export function main(_argc: i32, _argv: usize): i32 {
  return 1;
}
