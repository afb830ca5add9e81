/**
 * test: evaluates an expression (POSIX test); status 0 true, 1 false, 2 wrong.
 *
 * @module
 */
import { testExpression } from "../lib/test_expression.ts";

export function main(argc: i32, argv: usize): i32 {
  return testExpression(argc, argv);
}
