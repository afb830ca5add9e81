/**
 * Compiles parts of the kernel to plain Wasm, so that what does not touch hardware is tested under
 * Deno. A test names the files that it wants and may put fakes in the place of others; imports of
 * `x86`, `sym` and `asm` become functions of the test.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { rewriteSource } from "../../toolchain/frontend/rewrite.ts";

/** What a unit consists of. */
export interface UnitOptions {
  /** AssemblyScript text of the entry; imports are relative to the repository's root. */
  entry: string;
  /** Replacements of files, by path from the root, e.g. `kernel/sync/mod.ts`. */
  fakes?: Record<string, string>;
  /** Host functions, by module and name. */
  imports?: Record<string, Record<string, (...args: number[]) => number | bigint | void>>;
}

/** A running unit. */
export interface Unit {
  /** The entry's exported functions; i32 as number, i64 as bigint. */
  call: Record<string, (...args: (number | bigint)[]) => number>;
  /** Fresh views, because memory may grow. */
  bytes(): Uint8Array;
  /** Copies text, NUL-terminated, or bytes into memory of the unit; the address. */
  put(data: Uint8Array | string): number;
  /** Bytes of the unit. */
  get(address: number, length: number): Uint8Array;
  /** NUL-terminated text of the unit. */
  text(address: number): string;
}

const root = new URL("../../", import.meta.url);
const entryName = "unit_entry.ts";

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, root));
  } catch {
    return undefined;
  }
}

/** Modules by their sources: a property test starts the same unit again and again. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

async function compileModule(options: UnitOptions): Promise<WebAssembly.Module> {
  const sources: Record<string, string> = {
    [entryName]: options.entry +
      "\nexport function unitAlloc(n: usize): usize { const p = __alloc(n); memory.fill(p, 0, n); return p; }\n",
    ...options.fakes,
  };
  let binary: Uint8Array | undefined;
  let messages = "";
  const result = await asc.main(
    [
      entryName,
      "--outFile=unit.wasm",
      "-O1",
      "--runtime=stub",
      "--noColors",
      "--initialMemory=16",
      "--disableWarning",
    ],
    {
      readFile: (name: string) => {
        const text = sources[name] ?? read(name);
        return text === undefined
          ? null
          : rewriteSource(name, text).text.replace(/(\bfrom\s+"[^"]+)\.ts"/g, '$1"');
      },
      writeFile: (name: string, contents: Uint8Array | string) => {
        if (name === "unit.wasm") binary = contents as Uint8Array;
      },
      listFiles: () => [],
      stderr: { write: (text: string | Uint8Array) => void (messages += text) },
      stdout: { write: () => {} },
    },
  );
  if (result.error || binary === undefined) throw new Error(messages || String(result.error));
  return await WebAssembly.compile(binary as Uint8Array<ArrayBuffer>);
}

/** Compiles and instantiates; throws with the compiler's message. */
export async function compileUnit(options: UnitOptions): Promise<Unit> {
  const key = JSON.stringify([options.entry, options.fakes]);
  const pending = compiled.get(key) ?? compileModule(options);
  compiled.set(key, pending);
  const module = await pending;
  const decode = (address: number) => {
    const all = new Uint8Array(memory.buffer);
    let end = address;
    while (all[end]) end++;
    return new TextDecoder().decode(all.subarray(address, end));
  };
  const imports: WebAssembly.Imports = {
    env: {
      abort: (_message: number, _file: number, line: number, column: number) => {
        throw new Error(`Abort at line ${line}:${column}`);
      },
    },
  };
  for (const { module: space, name } of WebAssembly.Module.imports(module)) {
    const given = options.imports?.[space]?.[name];
    imports[space] ??= {};
    imports[space][name] ??= given ?? (() => {
      throw new Error(`The unit called "${space}.${name}", which the test does not provide`);
    });
  }
  const instance = await WebAssembly.instantiate(module, imports);
  const memory = instance.exports["memory"] as WebAssembly.Memory;
  const call = instance.exports as unknown as Unit["call"];
  return {
    call,
    bytes: () => new Uint8Array(memory.buffer),
    put(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data + "\0") : data;
      const at = call["unitAlloc"]!(bytes.length) >>> 0;
      new Uint8Array(memory.buffer).set(bytes, at);
      return at;
    },
    get: (address, length) => new Uint8Array(memory.buffer).slice(address, address + length),
    text: decode,
  };
}
