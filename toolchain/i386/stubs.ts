// Assembler stubs written with a small TypeScript assembler DSL (labels are symbols).
import { Asm } from "./encode.ts";
import {
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  ESP,
  imm,
  mem,
  type MI,
  type Op,
  reg,
} from "./select.ts";
export interface Stub {
  name: string;
  off: number;
  local: boolean;
}
export class StubAsm extends Asm {
  labels: Stub[] = [];
  L(name: string, local = false) {
    this.labels.push({ name, off: this.b.length, local });
    return this;
  }
  i(o: string, d?: Op | number, s?: Op | number, x: Partial<MI> = {}) {
    const f = (v: Op | number | undefined) => typeof v === "number" ? reg(v) : v;
    const m: any = { o, pos: 0, ...x };
    if (["push", "mul", "div", "call", "imul1", "idiv"].includes(o)) m.s = f(d);
    else {
      m.d = f(d);
      m.s = f(s);
    }
    this.ins(m);
    return this;
  }
  j(cc: string | null, to: string) {
    const C: any = {
      b: 2,
      ae: 3,
      e: 4,
      ne: 5,
      be: 6,
      a: 7,
      s: 8,
      ns: 9,
      l: 12,
      ge: 13,
      le: 14,
      g: 15,
    };
    if (cc) this.db(0x0f, 0x80 | C[cc]);
    else this.db(0xe9);
    this.rel.push({ off: this.b.length, kind: "rel", sym: to, add: 0 });
    this.dd(0);
    return this;
  }
  call(to: string) {
    this.db(0xe8);
    this.rel.push({ off: this.b.length, kind: "rel", sym: to, add: 0 });
    this.dd(0);
    return this;
  }
  pop(r: number) {
    this.db(0x58 | r);
    return this;
  }
  push(r: number) {
    this.db(0x50 | r);
    return this;
  }
  ret() {
    this.db(0xc3);
    return this;
  }
  align(n: number) {
    while (this.b.length % n) this.db(0x90);
    return this;
  }
}
const M = mem, fr = (d: number) => mem(EBP, d);
export function runtime(a: StubAsm) {
  const enter = () => {
      a.push(EBP).i("mov", EBP, ESP);
    },
    leave = () => a.db(0xc9, 0xc3);
  a.align(16).L("__udm64");
  enter();
  a.i("sub", ESP, imm(16));
  a.i("mov", fr(-4), EAX).i("mov", fr(-8), EDX).i("mov", fr(-12), ECX).i("mov", fr(-16), EBX).i(
    "test",
    EBX,
    EBX,
  ).j("ne", ".udm_big");
  a.i("mov", ESI, EAX).i("mov", EAX, EDX).i("xor", EDX, EDX).i("div", ECX).i("mov", EDI, EAX).i(
    "mov",
    EAX,
    ESI,
  ).i("div", ECX).i("mov", ESI, EDX).i("mov", EDX, EDI).i("xor", EDI, EDI);
  leave();
  a.L(".udm_big", true).i("bsr", ECX, EBX).i("mov", ESI, fr(-12)).i("mov", EDI, EBX).i(
    "shrd",
    ESI,
    EDI,
    { n: 1 },
  ).i("shr", EDI, imm(1));
  a.db(0x0f, 0xad, 0xc0 | EDI << 3 | ESI); // shrd esi,edi,cl
  a.i("shrd", EAX, EDX, { n: 1 }).i("shr", EDX, imm(1));
  a.db(0x0f, 0xad, 0xc0 | EDX << 3 | EAX);
  a.i("shr", EDX, reg(ECX)).i("div", ESI).i("mov", ESI, EAX);
  a.i("mul", fr(-12)).i("mov", ECX, EDX).i("mov", EDI, EAX).i("mov", EAX, ESI).i("mul", EBX).i(
    "test",
    EDX,
    EDX,
  ).j("ne", ".udm_over").i("add", EAX, ECX).j("b", ".udm_over").i("cmp", EAX, fr(-8)).j(
    "a",
    ".udm_over",
  ).j("b", ".udm_ok").i("cmp", EDI, fr(-4)).j("be", ".udm_ok");
  a.L(".udm_over", true).i("dec", ESI);
  a.L(".udm_ok", true).i("mov", EAX, ESI).i("mul", fr(-12)).i("mov", ECX, EDX).i("mov", EDI, EAX).i(
    "mov",
    EAX,
    ESI,
  ).i("imul", EAX, EBX).i("add", ECX, EAX).i("mov", EAX, ESI).i("mov", ESI, fr(-4)).i(
    "sub",
    ESI,
    EDI,
  ).i("mov", EDI, fr(-8)).i("sbb", EDI, ECX).i("xor", EDX, EDX);
  leave();
  const pro = () => {
      enter();
      a.push(EBX).push(ESI).push(EDI).i("mov", ECX, fr(8)).i("mov", EBX, fr(12));
    },
    epi = () => {
      a.pop(EDI).pop(ESI).pop(EBX).pop(EBP).ret();
    };
  a.align(16).L("__div64u");
  pro();
  a.call("__udm64");
  epi();
  a.align(16).L("__rem64u");
  pro();
  a.call("__udm64").i("mov", EAX, ESI).i("mov", EDX, EDI);
  epi();
  const neg = (lo: number, hi: number) => a.i("neg", lo).i("adc", hi, imm(0)).i("neg", hi);
  for (const rem of [0, 1]) {
    const n = rem ? "__rem64s" : "__div64s";
    a.align(16).L(n);
    pro();
    a.i("mov", ESI, EDX);
    if (!rem) a.i("xor", ESI, EBX);
    a.push(ESI);
    a.i("test", EDX, EDX).j("ns", "." + n + "1");
    neg(EAX, EDX);
    a.L("." + n + "1", true).i("test", EBX, EBX).j("ns", "." + n + "2");
    neg(ECX, EBX);
    a.L("." + n + "2", true).call("__udm64");
    if (rem) a.i("mov", EAX, ESI).i("mov", EDX, EDI);
    a.pop(ESI).i("test", ESI, ESI).j("ns", "." + n + "3");
    neg(EAX, EDX);
    if (!rem) a.j(null, "." + n + "4");
    a.L("." + n + "3", true);
    if (!rem) {
      a.i("test", EDX, EDX).j("ns", "." + n + "4");
      a.db(0x0f, 0x0b);
    }
    a.L("." + n + "4", true);
    epi();
  }
  const sh = (n: string, f: () => void, big: () => void) => {
    a.align(16).L(n);
    a.db(0xf6, 0xc1, 0x20);
    a.j("ne", "." + n + "b");
    f();
    a.ret();
    a.L("." + n + "b", true);
    big();
    a.ret();
  };
  const shld = (d: number, s: number) => a.db(0x0f, 0xa5, 0xc0 | s << 3 | d),
    shrd = (d: number, s: number) => a.db(0x0f, 0xad, 0xc0 | s << 3 | d),
    c = reg(ECX);
  sh("__shl64", () => {
    shld(EDX, EAX);
    a.i("shl", EAX, c);
  }, () => {
    a.i("mov", EDX, EAX).i("shl", EDX, c).i("xor", EAX, EAX);
  });
  sh("__shr64", () => {
    shrd(EAX, EDX);
    a.i("shr", EDX, c);
  }, () => {
    a.i("mov", EAX, EDX).i("shr", EAX, c).i("xor", EDX, EDX);
  });
  sh("__sar64", () => {
    shrd(EAX, EDX);
    a.i("sar", EDX, c);
  }, () => {
    a.i("mov", EAX, EDX).i("sar", EAX, c).i("sar", EDX, imm(31));
  });
  a.align(16).L("__rol64");
  a.db(0xf6, 0xc1, 0x20);
  a.j("e", ".rol1");
  a.db(0x92);
  a.L(".rol1", true).push(EBX).i("mov", EBX, EDX);
  shld(EDX, EAX);
  shld(EAX, EBX);
  a.pop(EBX).ret();
  a.align(16).L("__ror64");
  a.db(0xf6, 0xc1, 0x20);
  a.j("e", ".ror1");
  a.db(0x92);
  a.L(".ror1", true).push(EBX).i("mov", EBX, EDX);
  a.db(0x92, 0x92);
  shrd(EDX, EAX);
  shrd(EAX, EBX);
  a.pop(EBX).ret();
  // memmove(dst eax, src edx, n ecx), memset(dst eax, val edx, n ecx)
  a.align(16).L("__memmove").push(ESI).push(EDI).i("mov", EDI, EAX).i("mov", ESI, EDX).i(
    "sub",
    EAX,
    EDX,
  ).i("cmp", EAX, ECX).j("b", ".mm_back").i("mov", EDX, ECX).i("shr", ECX, imm(2));
  a.db(0xf3, 0xa5);
  a.i("mov", ECX, EDX).i("and", ECX, imm(3));
  a.db(0xf3, 0xa4);
  a.pop(EDI).pop(ESI).ret();
  a.L(".mm_back", true).i("lea", ESI, M(ESI, -1, ECX)).i("lea", EDI, M(EDI, -1, ECX));
  a.db(0xfd, 0xf3, 0xa4, 0xfc);
  a.pop(EDI).pop(ESI).ret();
  a.align(16).L("__memset").push(EDI).i("mov", EDI, EAX).i("movzx", EAX, EDX, { sz: 8 }).i(
    "imul3",
    EAX,
    EAX,
    { n: 0x01010101 },
  ).i("mov", EDX, ECX).i("shr", ECX, imm(2));
  a.db(0xf3, 0xab);
  a.i("mov", ECX, EDX).i("and", ECX, imm(3));
  a.db(0xf3, 0xaa);
  a.pop(EDI).ret();
}
