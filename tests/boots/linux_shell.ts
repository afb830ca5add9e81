/**
 * Debian's Linux to a shell on the terminal: fetches kernel and busybox, writes an initial RAM disk with the modules
 * for disks into the cache, and boots them like a user would.
 *
 * `deno task linux [pae] [option of "boot"]...`
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { main } from "../../cli/main.ts";
import { busybox, DISK_MODULES, linuxInitrd, linuxPackage, withDependencies } from "./linux.ts";

if (import.meta.main) {
  const [first, ...rest] = Deno.args;
  const options = first === "pae" ? rest : Deno.args;
  const image = linuxPackage(first === "pae" ? "686-pae" : "686");
  const tools = busybox();
  if (image === undefined || tools === undefined) Deno.exit(1);
  const initrd = join(dirname(image.kernel), "initrd.img");
  const modules = withDependencies(image, DISK_MODULES);
  writeFileSync(initrd, linuxInitrd({ busybox: tools, modules }));
  const args = ["--kernel", image.kernel, "--initrd", initrd, "--append", "console=ttyS0"];
  console.error(`overture boot ${[...args, ...options].join(" ")}`);
  Deno.exitCode = await main(["boot", ...args, ...options]);
  Deno.exit();
}
