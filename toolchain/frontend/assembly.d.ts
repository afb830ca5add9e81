/**
 * Types of our dialect for `deno check`: AssemblyScript's own definitions, c-string literals, and the
 * context types of class decorators, which TypeScript needs although no library is loaded.
 *
 * Used through `toolchain/frontend/assembly.json`:
 * `deno check --config toolchain/frontend/assembly.json kernel/main.ts`.
 */

/// <reference no-default-lib="true"/>
/// <reference path="../../node_modules/assemblyscript/std/assembly/index.d.ts" />

/** Address of a static, NUL-terminated UTF-8 string: `` c`text` ``. No `${…}`. */
declare function c(strings: TemplateStringsArray): usize;

interface TemplateStringsArray {
  readonly raw: readonly string[];
}

interface ClassDecoratorContext {
  readonly kind: "class";
}
interface ClassMethodDecoratorContext {
  readonly kind: "method";
}
interface ClassGetterDecoratorContext {
  readonly kind: "getter";
}
interface ClassSetterDecoratorContext {
  readonly kind: "setter";
}
interface ClassFieldDecoratorContext {
  readonly kind: "field";
}
