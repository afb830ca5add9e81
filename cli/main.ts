/**
 * The program: reads the command line, runs a command, turns errors into one sentence and an exit code.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { bootCommand } from "./boot.ts";
import { imageCommand } from "./image.ts";
import { profileCommand } from "./profile.ts";
import { messageOf, say } from "./report.ts";

const EXAMPLES = `
Examples:
  overture boot                            build the default image if need be, and boot it to a shell
  overture boot disk.img --snapshot        boot an image, leave it unchanged
  overture image build disk.img --add bash-static=/bin/bash
  overture profile disk.img -o boot.svg    a flame graph from the kernel's entry to the shell's prompt

"overture" stands for: deno run -A mod.ts`;

/**
 * Runs the command that the arguments name.
 *
 * @returns the exit code: 0, the guest's own code for \`boot\`, 1 for an error, 2 for a wrong command line
 */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("overture")
    .description("An i386 PC programmed from TypeScript, and a Unix-like kernel that boots on it.")
    .version("0.1.0")
    .addHelpText("after", EXAMPLES)
    // A command's options stand behind its name, a command's command's behind that.
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for the options and examples)")
    .exitOverride();
  program.addCommand(bootCommand((exitCode) => code = exitCode));
  program.addCommand(profileCommand((exitCode) => code = exitCode));
  program.addCommand(imageCommand());
  for (const command of program.commands) inherit(command as unknown as Command);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof Error && "exitCode" in error && "code" in error) {
      // commander has printed help or what is wrong.
      return (error as unknown as { exitCode: number }).exitCode === 0 ? 0 : 2;
    }
    say(`overture: ${messageOf(error)}\n`);
    return 1;
  }
}

function inherit(command: Command): void {
  command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
  for (const child of command.commands) inherit(child as unknown as Command);
}
