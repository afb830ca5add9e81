/**
 * The default disk: our kernel, our user programs and the few files that they expect, built from their
 * TypeScript sources.
 *
 * @module
 */
import { buildProgram, type SourceFiles } from "../mod.ts";
import { device, directory, type DirectoryNode, file, put, symlink } from "./tree.ts";

/** Options of {@linkcode defaultTree}. */
export interface DefaultTreeOptions {
  /** Reads the project's source files, by paths relative to its root. */
  readonly files: SourceFiles;
  /** Called before each program is compiled. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Where the sources are, relative to the project's root. */
const KERNEL_ENTRY = "kernel/main.ts";
const KERNEL_ASSEMBLY = "kernel/arch/i386";
const USER_ASSEMBLY = "kernel/user/lib";
/** Folders of user programs, a file a program, and where they go on the disk. */
const PROGRAMS: readonly { readonly source: string; readonly target: string }[] = [
  { source: "kernel/user/sbin", target: "/sbin" },
  { source: "kernel/user/bin", target: "/bin" },
];

const TEXT_FILES: Readonly<Record<string, string>> = {
  "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
  "/etc/group": "root:x:0:\ntty:x:5:\n",
  "/etc/hostname": "overture\n",
  "/etc/motd":
    "Overture: a kernel in TypeScript. Type `ls /bin` for the commands, `poweroff` to leave.\n",
  "/etc/profile": "export PATH=/bin:/sbin:/usr/bin:/usr/sbin\nexport HOME=/root\n",
};

/** Directories that mounts and programs expect, with their modes. */
const DIRECTORIES: Readonly<Record<string, number>> = {
  "/bin": 0o755,
  "/boot": 0o755,
  "/dev": 0o755,
  "/etc": 0o755,
  "/home": 0o755,
  "/mnt": 0o755,
  "/proc": 0o555,
  "/root": 0o700,
  "/sbin": 0o755,
  "/tmp": 0o1777,
  "/usr/bin": 0o755,
  "/usr/sbin": 0o755,
  "/var/log": 0o755,
  "/var/tmp": 0o1777,
};

/**
 * Compiles the kernel and every user program and lays out the disk's tree.
 *
 * @throws {CompileError} when a source does not compile.
 */
export async function defaultTree(options: DefaultTreeOptions): Promise<DirectoryNode> {
  const { files } = options;
  const root = skeleton();
  const programs = PROGRAMS.flatMap(({ source, target }) =>
    sources(files, source, ".ts").map((path) => ({
      path,
      target: `${target}/${baseName(path, ".ts")}`,
    }))
  );
  const total = programs.length + 1;
  options.onProgress?.(0, total, "kernel");
  put(root, "/boot/kernel", file(await buildKernel(files), 0o644));
  const assembly = sources(files, USER_ASSEMBLY, ".s");
  for (const [index, { path, target }] of programs.entries()) {
    options.onProgress?.(index + 1, total, baseName(path, ".ts"));
    const { elf } = await buildProgram({ root: "", entry: path, target: "user", assembly, files });
    put(root, target, file(elf, 0o755));
  }
  options.onProgress?.(total, total, "done");
  return root;
}

/** Compiles the kernel; returns its ELF file. */
export async function buildKernel(files: SourceFiles): Promise<Uint8Array> {
  const { elf } = await buildProgram({
    root: "",
    entry: KERNEL_ENTRY,
    target: "kernel",
    assembly: sources(files, KERNEL_ASSEMBLY, ".s"),
    files,
  });
  return elf;
}

/** Directories, configuration and the device nodes that a kernel without devfs needs. */
export function skeleton(): DirectoryNode {
  const root = directory();
  for (const [path, mode] of Object.entries(DIRECTORIES)) put(root, path, directory(mode));
  for (const [path, text] of Object.entries(TEXT_FILES)) put(root, path, file(text));
  put(root, "/etc/mtab", symlink("/proc/mounts"));
  put(root, "/dev/console", device("character", { major: 5, minor: 1 }));
  put(root, "/dev/null", device("character", { major: 1, minor: 3 }, 0o666));
  return root;
}

function sources(files: SourceFiles, folder: string, extension: string): string[] {
  return files.list(folder)
    .filter((name) => name.endsWith(extension) && !name.endsWith(`_test${extension}`))
    .sort()
    .map((name) => `${folder}/${name}`);
}

function baseName(path: string, extension: string): string {
  return path.slice(path.lastIndexOf("/") + 1, -extension.length);
}
