/**
 * The processor of this machine as an engine: `oracle.c`, compiled by gcc and fed through pipes.
 *
 * The program is built on first use into `.cache/differential/`, named by a hash of its source.
 * @module
 */
import {
  type Engine,
  FPU_IMAGE_BYTES,
  type FpuOutcome,
  INITIAL_MXCSR,
  initialFpu,
  MAX_CODE,
  MAX_PATCH_BYTES,
  MAX_PATCHES,
  type Outcome,
  tagOf,
  type TestCase,
  XMM_BYTES,
} from "./case.ts";

const HEAD_BYTES = 72;
/** MXCSR and XMM registers. */
const SIMD_BYTES = 4 + XMM_BYTES;
const PATCHES_AT = HEAD_BYTES + MAX_CODE + FPU_IMAGE_BYTES + SIMD_BYTES;
const TEST_BYTES = PATCHES_AT + MAX_PATCHES * (8 + MAX_PATCH_BYTES);
const MAX_DIFFERENCES = 64;
const FXSAVE_BYTES = 160 + XMM_BYTES;
const OUTCOME_BYTES = 16 + 32 + 8 + 24 + 4 + FXSAVE_BYTES + MAX_DIFFERENCES * 8;
/** Cases in one exchange with the process. */
const BATCH = 1024;

const SOURCE = new URL("./oracle.c", import.meta.url);
const CACHE = new URL("../../.cache/differential/", import.meta.url);

const FLAGS = [
  "-m32",
  "-O1",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-pic",
  "-no-pie",
  "-fno-stack-protector",
  "-mgeneral-regs-only",
  "-Wl,-Ttext-segment=0x70000000",
  "-Wl,-z,noexecstack",
  "-Wl,--build-id=none",
];

/** Compiles the oracle if need be; returns its path, or says in one sentence why there is none. */
async function build(): Promise<{ path: string } | { missing: string }> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return { missing: `no native oracle: this is ${Deno.build.os} on ${Deno.build.arch}` };
  }
  // What the manual leaves open we take from Intel's processors; another maker's decide differently.
  const processor = await Deno.readTextFile("/proc/cpuinfo");
  if (!processor.includes("GenuineIntel")) {
    return { missing: "no native oracle: the processor is not one of Intel's" };
  }
  const source = await Deno.readFile(SOURCE);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", source));
  const path = new URL(`oracle-${digest.subarray(0, 8).toHex()}`, CACHE).pathname;
  try {
    await Deno.stat(path);
    return { path };
  } catch {
    // Not built yet.
  }
  await Deno.mkdir(CACHE, { recursive: true });
  const temporary = `${path}.${Deno.pid}`;
  try {
    const compiler = new Deno.Command("gcc", {
      args: [...FLAGS, "-o", temporary, SOURCE.pathname],
      stderr: "piped",
    });
    const { success, stderr } = await compiler.output();
    if (!success) {
      return { missing: `no native oracle: gcc -m32 failed: ${new TextDecoder().decode(stderr)}` };
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { missing: "no native oracle: gcc is not installed" };
  }
  await Deno.rename(temporary, path);
  return { path };
}

/** Starts the native engine; `missing` says why there is none. Dispose it to end the process. */
export async function startNative(): Promise<NativeEngine | { missing: string }> {
  const built = await build();
  if ("missing" in built) return built;
  const child = new Deno.Command(built.path, { stdin: "piped", stdout: "piped" }).spawn();
  const engine = new NativeEngine(child);
  try {
    await engine.greet();
  } catch {
    await engine[Symbol.asyncDispose]();
    return { missing: "no native oracle: this kernel does not run 32-bit programs" };
  }
  return engine;
}

export class NativeEngine implements Engine, AsyncDisposable {
  readonly name = "native";
  /** Whether the region within reach of 16-bit addresses is mapped. */
  hasLow = false;
  /** Whether the kernel let it have an LDT, for segmented cases. */
  hasLdt = false;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.getReader();
  }

  /** Reads the program's first word. */
  async greet(): Promise<void> {
    const bytes = await this.#read(4);
    const have = bytes[0] as number;
    this.hasLow = (have & 1) !== 0;
    this.hasLdt = (have & 2) !== 0;
  }

  async run(cases: readonly TestCase[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < cases.length; at += BATCH) {
      const batch = cases.slice(at, at + BATCH);
      const bytes = new Uint8Array(4 + batch.length * TEST_BYTES);
      new DataView(bytes.buffer).setUint32(0, batch.length, true);
      for (const [i, test] of batch.entries()) encode(test, bytes, 4 + i * TEST_BYTES);
      await this.#writer.write(bytes);
      const answer = await this.#read(batch.length * OUTCOME_BYTES);
      for (let i = 0; i < batch.length; i++) outcomes.push(decode(answer, i * OUTCOME_BYTES));
    }
    return outcomes;
  }

  async #read(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(count);
    let have = 0;
    for (;;) {
      const take = Math.min(this.#rest.length, count - have);
      out.set(this.#rest.subarray(0, take), have);
      this.#rest = this.#rest.subarray(take);
      have += take;
      if (have === count) return out;
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the native oracle ended");
      this.#rest = value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#writer.close();
    } catch {
      // It has ended already.
    }
    await this.#reader.cancel();
    await this.#child.status;
  }
}

function encode(test: TestCase, out: Uint8Array<ArrayBuffer>, at: number): void {
  if (test.code.length > MAX_CODE || test.patches.length > MAX_PATCHES) {
    throw new RangeError(`Cannot run ${test.name}: too much code or too many patches`);
  }
  const view = new DataView(out.buffer, at, TEST_BYTES);
  for (let i = 0; i < 8; i++) view.setUint32(i * 4, test.gpr[i] ?? 0, true);
  view.setUint32(32, test.eflags, true);
  view.setUint32(36, test.eip, true);
  view.setUint32(40, test.code.length, true);
  view.setUint32(44, test.patches.length, true);
  for (let i = 0; i < 6; i++) view.setUint32(48 + i * 4, test.segments?.[i] ?? 0, true);
  out.set(test.code, at + HEAD_BYTES);
  out.set(test.fpu ?? initialFpu(), at + HEAD_BYTES + MAX_CODE);
  const simd = HEAD_BYTES + MAX_CODE + FPU_IMAGE_BYTES;
  view.setUint32(simd, test.mxcsr ?? INITIAL_MXCSR, true);
  if (test.xmm) out.set(test.xmm, at + simd + 4);
  let offset = PATCHES_AT;
  for (const { address, bytes } of test.patches) {
    view.setUint32(offset, address, true);
    view.setUint32(offset + 4, bytes.length, true);
    out.set(bytes, at + offset + 8);
    offset += 8 + MAX_PATCH_BYTES;
  }
}

function decode(bytes: Uint8Array<ArrayBuffer>, at: number): Outcome {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, OUTCOME_BYTES);
  const signal = view.getUint32(0, true);
  const trap = view.getUint32(4, true);
  const gpr = new Uint32Array(8);
  for (let i = 0; i < 8; i++) gpr[i] = view.getUint32(16 + i * 4, true);
  const segments: number[] = [];
  for (let i = 0; i < 6; i++) segments.push(view.getUint32(56 + i * 4, true));
  const changed = view.getUint32(80, true);
  const memory = new Map<number, number>();
  for (let i = 0; i < Math.min(changed, MAX_DIFFERENCES); i++) {
    const offset = 84 + FXSAVE_BYTES + i * 8;
    memory.set(view.getUint32(offset, true), view.getUint32(offset + 4, true));
  }
  return {
    vector: signal === 14 ? -1 : signal === 9 ? -2 : trap,
    errorCode: view.getUint32(8, true),
    address: trap === 14 ? view.getUint32(12, true) : 0,
    gpr,
    eflags: view.getUint32(48, true),
    eip: view.getUint32(52, true),
    segments,
    fpu: decodeFxsave(bytes.subarray(at + 84, at + 84 + FXSAVE_BYTES)),
    mxcsr: view.getUint32(84 + 24, true),
    xmm: bytes.slice(at + 84 + 160, at + 84 + 160 + XMM_BYTES),
    memory,
    changed,
  };
}

/** FXSAVE image (SDM vol. 1 Table 10-1) to the x87 state; its tags are one bit a register. */
function decodeFxsave(image: Uint8Array<ArrayBuffer>): FpuOutcome {
  const view = new DataView(image.buffer, image.byteOffset, FXSAVE_BYTES);
  const status = view.getUint16(2, true);
  const top = (status >> 11) & 7;
  const present = view.getUint8(4);
  const registers = new Uint8Array(80);
  let tag = 0;
  for (let i = 0; i < 8; i++) {
    registers.set(image.subarray(32 + i * 16, 42 + i * 16), i * 10);
    const physical = (top + i) & 7;
    const value = present >> physical & 1 ? tagOf(registers, i * 10) : 3;
    tag |= value << (physical * 2);
  }
  return { control: view.getUint16(0, true), status, tag, ip: view.getUint32(8, true), registers };
}
