/**
 * Plugins that come with the program, each on the public API alone, with QEMU's option names where QEMU has the plugin:
 * `--plugin hotblocks,limit=10`.
 *
 * @module
 */
import type { AnyPlugin } from "../api/mod.ts";
import { plugin as execlog } from "./execlog.ts";
import { plugin as hotblocks } from "./hotblocks.ts";
import { plugin as hotpages } from "./hotpages.ts";
import { plugin as howvec } from "./howvec.ts";
import { plugin as hwprofile } from "./hwprofile.ts";
import { plugin as memprofile } from "./memprofile.ts";
import { plugin as stoptrigger } from "./stoptrigger.ts";
import { plugin as strace } from "./strace.ts";
import { plugin as traps } from "./traps.ts";

/** The bundled plugins by name. */
export const BUNDLED: ReadonlyMap<string, AnyPlugin> = new Map(
  [execlog, hotblocks, hotpages, howvec, hwprofile, memprofile, stoptrigger, strace, traps]
    .map((plugin) => [plugin.name, plugin]),
);
