/**
 * `overture image build`: the default image, with more files, as a disk image.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { type DirectoryNode, put, skeleton } from "../toolchain/image/mod.ts";
import { hostNode, parseAddition } from "./host_tree.ts";
import { buildDefaultTree, writeImage } from "./project.ts";
import { parseSize, say, UserError } from "./report.ts";

/** The `image` command. */
export function imageCommand(): Command {
  const command = new Command("image").description("build disk images");
  command
    .command("build")
    .description("write a disk image: ext2, /boot/kernel, user programs in TypeScript")
    .argument("<image>", "the file to write")
    .option(
      "--add <host=guest>",
      "put a host file or directory on the image (repeatable)",
      (value: string, previous: string[]) => [...previous, value],
      [] as string[],
    )
    .option("--size <size>", "size of the image, like 256M (default: contents and room to write)")
    .option("--kernel <file>", "put this kernel at /boot/kernel instead of ours")
    .option("--empty", "leave our user programs out")
    .addHelpText(
      "after",
      `
Examples:
  image build disk.img
  image build disk.img --add bash-static=/bin/bash --add ./dir=/root
  image build disk.img --size 512M --kernel my-kernel.elf`,
    )
    .action(async (path, options) => {
      const size = options.size === undefined ? undefined : parseSize(options.size);
      const additions = options.add.map(parseAddition).map(({ host, guest }) => ({
        guest,
        node: hostNode(host),
      }));
      const tree = options.empty && options.kernel !== undefined
        ? skeleton()
        : await buildDefaultTree();
      if (options.kernel !== undefined) put(tree, "/boot/kernel", hostNode(options.kernel));
      for (const { guest, node } of additions) addTo(tree, guest, node);
      const bytes = writeImage(path, tree, size);
      say(`Wrote ${path}: ext2, ${Math.round(bytes / (1 << 20))} MiB\n`);
    });
  return command as unknown as Command;
}

function addTo(tree: DirectoryNode, guest: string, node: Parameters<typeof put>[2]): void {
  try {
    put(tree, guest, node);
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}
