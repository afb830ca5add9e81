/**
 * Which machines are compared: what `--emulators` and `--against` say.
 *
 * @module
 */
import { resolve } from "node:path";
import { DEFAULT_MODEL } from "../../cpu/mod.ts";
import { type Emulator, ours, QEMU, v86 } from "./emulators.ts";

/** What v86 starts Linux with: Debian's package seabios. */
const BIOS = "/usr/share/seabios/bios.bin";

/**
 * The machines by the names of the command line, and the one that the others are relative to: the other checkout,
 * QEMU, or the last.
 *
 * @throws {Error} for a name that is none
 */
export function choose(
  names: readonly string[],
  options: {
    readonly against: string | undefined;
    readonly translateAfter: number;
    readonly linux?: boolean;
  },
): { readonly emulators: readonly Emulator[]; readonly base: string } {
  const { translateAfter, against, linux = false } = options;
  // Linux runs on the processor that a machine has if nobody says; the benchmark kernel wants SSE2.
  const cpu = linux ? DEFAULT_MODEL : "p4";
  if (against !== undefined) {
    const other = ours({ name: "other", checkout: resolve(against), translateAfter, cpu });
    return { emulators: [ours({ translateAfter, cpu }), other], base: "other" };
  }
  const known: Record<string, () => Emulator> = {
    ours: () => ours({ translateAfter, cpu }),
    interpreted: () => ours({ name: "interpreted", translateAfter: 0, cpu }),
    qemu: () => QEMU,
    v86: () => v86(linux ? BIOS : undefined),
  };
  const emulators = names.map((name) => {
    const make = known[name];
    if (make === undefined) {
      throw new Error(`No machine "${name}"; there are ${Object.keys(known).join(", ")}`);
    }
    return make();
  });
  return { emulators, base: names.includes("qemu") ? "qemu" : names.at(-1) ?? "" };
}
