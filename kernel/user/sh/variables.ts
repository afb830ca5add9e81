/**
 * Shell variables, functions and positional parameters.
 *
 * @module
 */
import { allocate, release } from "../lib/memory.ts";
import {
  compare,
  duplicate,
  duplicateBytes,
  equal,
  find,
  formatSigned,
  length,
} from "../lib/string.ts";
import { Node } from "./syntax.ts";

/** A variable; exported ones go into the environment of commands. */
@unmanaged
export class Variable {
  name: usize;
  /** On the heap; 0 when unset (an exported name without value). */
  value: usize;
  exported: bool;
  readonly: bool;
  next: Variable | null;
}

/** A function: its body's tree, and the arena that holds it. */
@unmanaged
export class ShellFunction {
  name: usize;
  body!: Node;
  next: ShellFunction | null;
}

let variables: Variable | null = null;
let functions: ShellFunction | null = null;

/** The positional parameters `$1`…: an array of strings, and how many. */
export let positional: usize = 0;
export let positionalCount: i32 = 0;
/** `$0`. */
export let shellName: usize = 0;
/** `$?`. */
export let lastStatus: i32 = 0;
/** `$!`. */
export let lastBackground: i32 = 0;

export function setLastStatus(status: i32): void {
  lastStatus = status;
}
export function setLastBackground(pid: i32): void {
  lastBackground = pid;
}
export function setShellName(name: usize): void {
  shellName = name;
}
/** Replaces the positional parameters; the array stays the caller's. */
export function setPositional(values: usize, count: i32): void {
  positional = values;
  positionalCount = count;
}
/** A copy of `count` strings and their array on the heap. */
export function copyStrings(values: usize, count: i32): usize {
  const copy = allocate((count + 1) << 2);
  for (let index = 0; index < count; index++) {
    store<usize>(copy + (index << 2), duplicate(load<usize>(values + (index << 2))));
  }
  store<usize>(copy + (count << 2), 0);
  return copy;
}

/** The variable of that name, or null. */
export function lookUp(name: usize): Variable | null {
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    if (equal(variable.name, name)) return variable;
  }
  return null;
}

/** A variable's value, 0 when it is unset. */
export function valueOf(name: usize): usize {
  const variable = lookUp(name);
  return variable === null ? 0 : variable.value;
}

/** The variable of that name, made if there is none. */
export function declare(name: usize): Variable {
  const present = lookUp(name);
  if (present !== null) return present;
  const variable = new Variable();
  variable.name = duplicate(name);
  variable.next = variables;
  variables = variable;
  return variable;
}

/** Sets a variable to a copy of `value`; false if it is read-only. */
export function assign(name: usize, value: usize): bool {
  const variable = declare(name);
  if (variable.readonly) return false;
  const old = variable.value;
  variable.value = duplicate(value);
  release(old);
  return true;
}

/** Removes a variable; false if it is read-only. */
export function unset(name: usize): bool {
  let before: Variable | null = null;
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    if (equal(variable.name, name)) {
      if (variable.readonly) return false;
      if (before === null) variables = variable.next;
      else before.next = variable.next;
      release(variable.name);
      release(variable.value);
      release(changetype<usize>(variable));
      return true;
    }
    before = variable;
  }
  return true;
}

/** Takes over the environment of the shell. */
export function importEnvironment(envp: usize): void {
  for (; load<usize>(envp) !== 0; envp += 4) {
    const entry = load<usize>(envp);
    const equals = find(entry, 0x3d);
    if (equals === 0 || equals === entry) continue;
    const name = duplicateBytes(entry, equals - entry);
    assign(name, equals + 1);
    declare(name).exported = true;
    release(name);
  }
}

/** The environment for a command: a 0-ended array of `name=value`, on the heap (the caller is about to exec). */
export function exportEnvironment(): usize {
  let count: u32 = 0;
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    count++;
  }
  const result = allocate((count + 1) << 2);
  let slot = result;
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    if (!variable.exported || variable.value === 0) continue;
    const name = length(variable.name);
    const entry = allocate(name + length(variable.value) + 2);
    memory.copy(entry, variable.name, name);
    store<u8>(entry + name, 0x3d);
    memory.copy(entry + name + 1, variable.value, length(variable.value) + 1);
    store<usize>(slot, entry);
    slot += 4;
  }
  store<usize>(slot, 0);
  return result;
}

/** The variables in order of their names: a 0-ended array of Variable, on the heap. */
export function sortedVariables(): usize {
  let count: u32 = 0;
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    count++;
  }
  const result = allocate((count + 1) << 2);
  let filled: u32 = 0;
  for (let variable: Variable | null = variables; variable !== null; variable = variable!.next) {
    let slot = filled++;
    for (; slot > 0; slot--) {
      const before = changetype<Variable>(load<usize>(result + (slot - 1 << 2)));
      if (compare(before.name, variable.name) <= 0) break;
      store<usize>(result + (slot << 2), changetype<usize>(before));
    }
    store<usize>(result + (slot << 2), changetype<usize>(variable));
  }
  store<usize>(result + (count << 2), 0);
  return result;
}

/** Defines a function; the tree stays where it is. */
export function defineFunction(name: usize, body: Node): void {
  const present = findFunction(name);
  if (present !== null) {
    present.body = body;
    return;
  }
  const definition = new ShellFunction();
  definition.name = duplicate(name);
  definition.body = body;
  definition.next = functions;
  functions = definition;
}

/** The function of that name, or null. */
export function findFunction(name: usize): ShellFunction | null {
  for (
    let definition: ShellFunction | null = functions;
    definition !== null;
    definition = definition!.next
  ) {
    if (equal(definition.name, name)) return definition;
  }
  return null;
}

/** Sets a variable to a number. */
export function assignNumber(name: usize, value: i64): bool {
  return assign(name, formatSigned(value));
}
