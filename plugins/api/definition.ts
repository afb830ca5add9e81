/**
 * What a plugin is: a module that exports `plugin`, made by {@linkcode definePlugin}.
 *
 * @module
 */
import type { PluginHost } from "./host.ts";

/** What kind of value an option takes. */
export type OptionType = "string" | "number" | "boolean";

/** One option of a plugin: its type, its default and the sentence that help prints. */
export interface OptionSpec {
  /** What the value is converted to. */
  readonly type: OptionType;
  /** One sentence for help and for the message when it is missing. */
  readonly help: string;
  /** Taken when the option is not given; without it the option is required. */
  readonly default?: string | number | boolean;
}

/** The type of an option's value. */
export type OptionValue<S extends OptionSpec> = S["type"] extends "number" ? number
  : S["type"] extends "boolean" ? boolean
  : string;

/** The values that `install` receives for a set of options. */
export type OptionValues<O extends Readonly<Record<string, OptionSpec>>> = {
  readonly [Name in keyof O]: OptionValue<O[Name]>;
};

/** A plugin: its name, its options and the function that installs its hooks. */
export interface PluginDefinition<
  O extends Readonly<Record<string, OptionSpec>> = Readonly<Record<string, OptionSpec>>,
> {
  /** What messages call the plugin, and other plugins ask for. */
  readonly name: string;
  /** One line on what it does, for `--help`. */
  readonly description: string;
  /** The options by name; none when absent. */
  readonly options?: O;
  /**
   * Installs the hooks. An exception here refuses the plugin. What it returns, other plugins get from
   * {@linkcode PluginHost.plugin}.
   */
  install(host: PluginHost, options: OptionValues<O>): void | object;
}

/** A definition whose option types are forgotten, as the loader passes it about. */
// deno-lint-ignore no-explicit-any
export type AnyPlugin = PluginDefinition<any>;

/**
 * Types a plugin's definition; returns it unchanged.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@overture/overture/plugins";
 * import assert from "node:assert/strict";
 *
 * export const plugin = definePlugin({
 *   name: "count",
 *   description: "counts executed instructions",
 *   options: { verbose: { type: "boolean", help: "print more", default: false } },
 *   install(host, options) {
 *     const executed = host.scoreboard("executed").u64("executed");
 *     host.onTranslate((block) => block.inline("add", executed, block.instructions.length));
 *     host.atExit(() => host.out(`${executed.sum()} instructions${options.verbose ? "!" : ""}\n`));
 *   },
 * });
 * assert.equal(plugin.name, "count");
 * ```
 */
export function definePlugin<const O extends Readonly<Record<string, OptionSpec>>>(
  definition: PluginDefinition<O>,
): PluginDefinition<O> {
  return definition;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["on", true],
  ["yes", true],
  ["true", true],
  ["off", false],
  ["no", false],
  ["false", false],
]);

/**
 * What an option's text says, as QEMU reads it: on, yes, true, or off, no, false, in any case; else undefined.
 *
 * @example
 * ```ts
 * import { boolParse } from "@overture/overture/plugins";
 * import assert from "node:assert/strict";
 *
 * assert.equal(boolParse("yes"), true);
 * assert.equal(boolParse("maybe"), undefined);
 * ```
 */
export function boolParse(text: string): boolean | undefined {
  return BOOLEANS.get(text.toLowerCase());
}
