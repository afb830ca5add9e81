/**
 * Debian's unmodified i386 programs for tests, fetched by apt-get into the ignored cache. Where they cannot be had
 * the tests that need them say so and are skipped.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../../.cache/debian-i386", import.meta.url));
const PACKAGES = ["bash-static:i386", "busybox-static:i386"];

/** Paths of the programs. */
export interface DebianPrograms {
  readonly bash: string;
  readonly busybox: string;
}

function found(): DebianPrograms | undefined {
  const bash = join(CACHE, "bin/bash-static");
  const busybox = join(CACHE, "bin/busybox");
  return existsSync(bash) && existsSync(busybox) ? { bash, busybox } : undefined;
}

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { cwd: CACHE, stdio: "ignore", timeout: 120_000 }).status === 0;
}

/** The programs, fetched if need be; undefined (and a line on standard error) where that fails. */
export function debianPrograms(): DebianPrograms | undefined {
  const present = found();
  if (present !== undefined) return present;
  mkdirSync(CACHE, { recursive: true });
  const download = (): boolean => run("apt-get", "download", ...PACKAGES);
  // The first download fails where i386 is not yet a known architecture, or the index is old.
  const fetched = download() ||
    (run("dpkg", "--add-architecture", "i386") && run("apt-get", "update", "-qq") && download());
  if (fetched) {
    for (const name of readdirSync(CACHE)) {
      if (name.endsWith(".deb")) run("dpkg-deb", "-x", name, ".");
    }
  }
  const result = found();
  if (result === undefined) {
    console.error(`Skipped: apt-get could not fetch ${PACKAGES.join(" and ")}`);
  }
  return result;
}
