/**
 * The semantics of the integer instructions, by operation name.
 * @module
 */
import type { Semantics } from "../emit.ts";
import { arithmetic } from "./arithmetic.ts";
import { control } from "./control.ts";
import { moves } from "./move.ts";
import { shifts } from "./shift.ts";
import { strings } from "./string.ts";

export const integerSemantics: Readonly<Record<string, Semantics>> = {
  ...moves,
  ...arithmetic,
  ...shifts,
  ...control,
  ...strings,
};
