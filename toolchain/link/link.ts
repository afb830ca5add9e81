import { type Func, I64, type Init, Module } from "../ir/wasm.ts";
import { FnIR, type Opts, sigId, Unsupported } from "../ir/lower.ts";
import { Isel } from "../i386/select.ts";
import { allocate, type RAStats } from "../i386/allocate.ts";
import { type Code, encode, type Reloc } from "../i386/encode.ts";
import { StubAsm } from "../i386/stubs.ts";

export interface Obj {
  m: Module;
  codes: (Code & { f: Func })[];
  unsupported: Map<number, string>;
  stats: RAStats;
}
export const stripName = (n: string) => n.replace(/~lib/g, "lib").replace(/\|.*$/, "");
export function compile(wasm: Uint8Array, o: Partial<Opts> = {}): Obj {
  const m = new Module(wasm), opts: Opts = { memBase: 0, checked: false, cmov: true, ...o };
  const codes: Obj["codes"] = [],
    unsupported = new Map<number, string>(),
    stats = { rounds: 0, spills: 0, moves: 0 };
  for (const f of m.funcs) {
    if (f.imp) continue;
    try {
      const ir = new FnIR(m, f, opts), mf = new Isel(ir, { cmov: opts.cmov }).fn();
      const col = allocate(mf, stats);
      codes.push({ ...encode("$f" + f.idx, mf, col), f });
    } catch (e) {
      if (!(e instanceof Unsupported)) {
        (e as Error).message += " in " + f.name;
        throw e;
      }
      unsupported.set(f.idx, e.message);
    }
  }
  return { m, codes, unsupported, stats };
}
export interface Section {
  name: string;
  addr: number;
  paddr: number;
  data: Uint8Array;
  memsz: number;
  flags: number;
  relocs: Reloc[];
}
export interface Sym {
  name: string;
  addr: number;
  size: number;
  type: "f" | "o" | "n";
  sec: number;
  local?: boolean;
}
export interface LinkOpts {
  textBase: number;
  physOff?: number;
  dataAlign?: number;
  entry: string;
  pre?: StubAsm;
  stubs: StubAsm;
  memEnd?: number;
  memPages?: number;
  srcmap?: any;
  boot?: { base: number; asm: StubAsm };
  extra?: Map<string, number>;
  srcDir?: string;
  heapBytes?: number;
  memBase?: number;
  dataBase?: number;
}
const al = (x: number, n: number) => Math.ceil(x / n) * n;
export function link(ob: Obj, lo: LinkOpts) {
  const { m } = ob,
    syms: Sym[] = [],
    S = new Map<string, number>(lo.extra ?? []),
    secs: Section[] = [],
    phys = lo.physOff ?? 0,
    mb = lo.memBase ?? 0;
  const mk = (
    name: string,
    addr: number,
    bytes: number[] | Uint8Array,
    flags: number,
    relocs: Reloc[] = [],
    memsz = 0,
  ): Section => {
    const s = {
      name,
      addr,
      paddr: (addr - phys) >>> 0,
      data: Uint8Array.from(bytes),
      memsz: Math.max(memsz, bytes.length),
      flags,
      relocs,
    };
    secs.push(s);
    return s;
  };
  const addStub = (a: StubAsm, base: number, sec: number) => {
    a.labels.forEach((l) => {
      S.set(l.name, base + l.off);
    });
    const g = a.labels.filter((l) => !l.local);
    g.forEach((l, i) => {
      const e = i + 1 < g.length ? g[i + 1].off : a.b.length;
      syms.push({ name: l.name, addr: base + l.off, size: e - l.off, type: "f", sec });
    });
  };
  if (lo.boot) {
    mk(".boot", lo.boot.base, lo.boot.asm.b, 5, lo.boot.asm.rel);
    secs[secs.length - 1].paddr = lo.boot.base;
    addStub(lo.boot.asm, lo.boot.base, secs.length);
  }
  // text
  const tb: number[] = [];
  const trel: Reloc[] = [];
  const lines: [number, number][] = [];
  const tsec = secs.length + 1;
  const put = (bytes: ArrayLike<number>) => {
    for (let i = 0; i < bytes.length; i++) tb.push(bytes[i]);
  };
  for (const l of lo.stubs.rel) trel.push({ ...l });
  put(lo.stubs.b);
  addStub(lo.stubs, lo.textBase, tsec);
  while (tb.length & 15) tb.push(0x90);
  const jts: { sym: string; words: number[]; base: number }[] = [];
  for (const c of ob.codes) {
    const base = lo.textBase + tb.length;
    S.set(c.name, base);
    syms.push({
      name: stripName(c.f.name),
      addr: base,
      size: c.bytes.length,
      type: "f",
      sec: tsec,
    });
    for (const r of c.relocs) trel.push({ ...r, off: r.off + tb.length });
    for (const [o, p] of c.lines) lines.push([base + o, p]);
    for (const j of c.rodata) jts.push({ ...j, base });
    put(c.bytes);
    while (tb.length & 15) tb.push(0x90);
  }
  for (const [n, e] of m.exports) {
    if (e.kind === 0 && !m.funcs[e.i].imp) S.set(n, S.get("$f" + e.i)!);
  }
  mk(".text", lo.textBase, tb, 5, trel);
  // rodata: jump tables + function tables
  const rb = al(lo.textBase + tb.length, 4096),
    rd: number[] = [],
    w32 = (v: number) => rd.push(v & 255, v >> 8 & 255, v >> 16 & 255, v >>> 24);
  for (const j of jts) {
    S.set(j.sym, rb + rd.length);
    j.words.forEach((x) => w32(j.base + x));
  }
  const ival = (i: Init): bigint =>
    i.op === "const" ? i.v : i.op === "global" ? ival(m.globals[i.i].init) : 0n;
  m.tables.forEach((t, ti) => {
    const tab = new Array(Math.min(t.min, 100000)).fill(-1);
    for (const e of m.elems) {
      if (e.mode === 0 && e.table === ti) {
        const off = Number(ival(e.offset));
        e.funcs.forEach((f, i) => {
          tab[off + i] = f;
        });
      }
    }
    S.set("$table" + ti, rb + rd.length);
    syms.push({
      name: "table" + (ti || ""),
      addr: rb + rd.length,
      size: tab.length * 4,
      type: "o",
      sec: secs.length + 1,
    });
    tab.forEach((f) =>
      w32(f >= 0 ? S.get(m.funcs[f].imp ? m.funcs[f].imp!.name : "$f" + f) ?? 0 : 0)
    );
    S.set("$tabsig" + ti, rb + rd.length);
    tab.forEach((f) => w32(f >= 0 ? sigId(m.funcs[f].type) : 0));
    S.set("$tablen" + ti, rb + rd.length);
    w32(tab.length);
  });
  if (!rd.length) w32(0);
  mk(".rodata", rb, rd, 4);
  // data: globals
  const db = al(rb + rd.length, 4096),
    dd: number[] = [],
    g32 = (v: number) => dd.push(v & 255, v >> 8 & 255, v >> 16 & 255, v >>> 24);
  S.set("__mem_pages", db);
  g32(lo.memPages ?? m.mem?.min ?? 0);
  S.set("__mem_bytes", db + 4);
  g32((lo.memPages ?? m.mem?.min ?? 0) * 65536);
  S.set("__mem_max", db + 8);
  g32(Math.min(m.mem?.max ?? 65536, 1024));
  m.globals.forEach((g, i) => {
    S.set("$g" + i, db + dd.length);
    syms.push({
      name: stripName(g.name),
      addr: db + dd.length,
      size: g.type === I64 ? 8 : 4,
      type: "o",
      sec: secs.length + 1,
    });
    const v = g.init.op === "func" ? 0n : ival(g.init);
    g32(Number(BigInt.asIntN(32, v)));
    if (g.type === I64) g32(Number(BigInt.asIntN(32, v >> 32n)));
  });
  mk(".data", db, dd, 6);
  // wasm data segments
  const segs = m.data.filter((d) => d.mode === 0).map((d) => ({
    at: (Number(ival(d.offset)) >>> 0) + mb,
    bytes: d.bytes,
  })).sort((a, b) => a.at - b.at);
  if (segs.length) {
    const lo0 = (lo.dataBase ?? segs[0].at) & ~0xfff,
      last = segs[segs.length - 1],
      hi = last.at + last.bytes.length;
    const img = new Uint8Array(hi - (lo0 >>> 0));
    for (const s of segs) img.set(s.bytes, s.at - (lo0 >>> 0));
    mk(".wdata", lo0 >>> 0, img, 6, [], img.length + (lo.heapBytes ?? 0));
  }
  const end = Math.max(...secs.map((s) => s.addr + s.memsz));
  S.set("__image_end", end);
  if (m.start >= 0) S.set("__wasm_start", S.get("$f" + m.start)!);
  // relocate
  for (const s of secs) {
    const dv = new DataView(s.data.buffer);
    for (const r of s.relocs) {
      let v = S.get(r.sym);
      if (v === undefined) throw Error("undefined symbol " + r.sym);
      v = v + r.add;
      dv.setUint32(r.off, r.kind === "abs" ? v >>> 0 : (v - (s.addr + r.off + 4)) >>> 0, true);
    }
  }
  return { secs, syms, S, lines, textSize: tb.length, entry: S.get(lo.entry)! };
}
// ---- ELF + DWARF2 line table
export function elf(l: ReturnType<typeof link>, dbg?: { sections: [string, Uint8Array][] }) {
  const secs = l.secs, out: number[][] = [];
  void out;
  const str = (names: string[]) => {
    const off = new Map<string, number>();
    const b: number[] = [0];
    for (const n of names) {
      if (!off.has(n)) {
        off.set(n, b.length);
        b.push(...new TextEncoder().encode(n), 0);
      }
    }
    return { b, off };
  };
  const dsecs = dbg?.sections ?? [];
  const shn = str([
    "",
    ...secs.map((s) => s.name),
    ...dsecs.map((s) => s[0]),
    ".symtab",
    ".strtab",
    ".shstrtab",
  ]);
  const stn = str(l.syms.map((s) => s.name));
  const nsec = 1 + secs.length + dsecs.length + 3;
  const phnum = secs.length;
  let off = al(52 + 32 * phnum, 16);
  const soff: number[] = [];
  for (const s of secs) {
    off = al(off, 4096) + (s.addr & 4095);
    soff.push(off);
    off += s.data.length;
  }
  const doff: number[] = [];
  for (const s of dsecs) {
    off = al(off, 4);
    doff.push(off);
    off += s[1].length;
  }
  off = al(off, 16);
  const symoff = off, symsz = 16 * (l.syms.length + 1);
  off += symsz;
  const stroff = off;
  off += stn.b.length;
  const shsoff = off;
  off += shn.b.length;
  const shoff = al(off, 4);
  const buf = new Uint8Array(shoff + 40 * nsec), dv = new DataView(buf.buffer);
  buf.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const u16 = (o: number, v: number) => dv.setUint16(o, v, true),
    u32 = (o: number, v: number) => dv.setUint32(o, v >>> 0, true);
  u16(16, 2);
  u16(18, 3);
  u32(20, 1);
  u32(24, l.entry);
  u32(28, 52);
  u32(32, shoff);
  u16(40, 52);
  u16(42, 32);
  u16(44, phnum);
  u16(46, 40);
  u16(48, nsec);
  u16(50, nsec - 1);
  secs.forEach((s, i) => {
    const p = 52 + 32 * i;
    u32(p, 1);
    u32(p + 4, soff[i]);
    u32(p + 8, s.addr);
    u32(p + 12, s.paddr);
    u32(p + 16, s.data.length);
    u32(p + 20, s.memsz);
    u32(p + 24, s.flags);
    u32(p + 28, 4096);
    buf.set(s.data, soff[i]);
  });
  const sh = (
    i: number,
    name: string,
    type: number,
    flags: number,
    addr: number,
    o: number,
    size: number,
    link = 0,
    info = 0,
    align = 1,
    ent = 0,
  ) => {
    const p = shoff + 40 * i;
    [shn.off.get(name) ?? 0, type, flags, addr, o, size, link, info, align, ent].forEach((v, k) =>
      u32(p + 4 * k, v)
    );
  };
  secs.forEach((s, i) =>
    sh(
      i + 1,
      s.name,
      1,
      2 | (s.flags & 1 ? 4 : 0) | (s.flags & 2 ? 1 : 0),
      s.addr,
      soff[i],
      s.data.length,
      0,
      0,
      16,
    )
  );
  dsecs.forEach((s, i) => {
    sh(1 + secs.length + i, s[0], 1, 0, 0, doff[i], s[1].length);
    buf.set(s[1], doff[i]);
  });
  sh(nsec - 3, ".symtab", 2, 0, 0, symoff, symsz, nsec - 2, 1, 4, 16);
  sh(nsec - 2, ".strtab", 3, 0, 0, stroff, stn.b.length);
  sh(nsec - 1, ".shstrtab", 3, 0, 0, shsoff, shn.b.length);
  l.syms.forEach((s, i) => {
    const p = symoff + 16 * (i + 1);
    u32(p, stn.off.get(s.name)!);
    u32(p + 4, s.addr);
    u32(p + 8, s.size);
    buf[p + 12] = 0x10 | (s.type === "f" ? 2 : s.type === "o" ? 1 : 0);
    u16(p + 14, s.sec);
  });
  buf.set(stn.b, stroff);
  buf.set(shn.b, shsoff);
  return buf;
}
export interface SrcMap {
  sources: string[];
  map: [number, number, number][];
} // wasm offset, source index, line (1-based)
export function parseMap(json: any): SrcMap {
  const A = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    D = new Map([...A].map((c, i) => [c, i]));
  const s: string = json.mappings;
  let i = 0;
  const v = () => {
    let r = 0, sh = 0;
    for (;;) {
      const d = D.get(s[i++])!;
      r |= (d & 31) << sh;
      sh += 5;
      if (!(d & 32)) break;
    }
    return r & 1 ? -(r >> 1) : r >> 1;
  };
  let col = 0, src = 0, ln = 0, oc = 0;
  const map: [number, number, number][] = [];
  while (i < s.length) {
    if (s[i] === ",") {
      i++;
      continue;
    }
    if (s[i] === ";") {
      i++;
      col = 0;
      continue;
    }
    col += v();
    if (i >= s.length || s[i] === "," || s[i] === ";") continue;
    src += v();
    ln += v();
    oc += v();
    if (i < s.length && s[i] !== "," && s[i] !== ";") v();
    map.push([col, src, ln + 1]);
  }
  void oc;
  return { sources: json.sources, map };
}
export function lookup(sm: SrcMap, pos: number) {
  let lo = 0, hi = sm.map.length - 1, r = -1;
  while (lo <= hi) {
    const m = (lo + hi) >> 1;
    if (sm.map[m][0] <= pos) {
      r = m;
      lo = m + 1;
    } else hi = m - 1;
  }
  return r < 0 ? null : sm.map[r];
}
export function dwarf(
  l: ReturnType<typeof link>,
  sm: SrcMap,
  compDir: string,
  name: string,
): [string, Uint8Array][] {
  const te = new TextEncoder();
  const uleb = (b: number[], v: number) => {
    do {
      let c = v & 127;
      v >>>= 7;
      if (v) c |= 128;
      b.push(c);
    } while (v);
  };
  const sleb = (b: number[], v: number) => {
    for (;;) {
      const c = v & 127;
      v >>= 7;
      if ((v === 0 && !(c & 64)) || (v === -1 && (c & 64))) {
        b.push(c);
        return;
      }
      b.push(c | 128);
    }
  };
  const d4 = (b: number[], v: number) => b.push(v & 255, v >> 8 & 255, v >> 16 & 255, v >>> 24),
    d2 = (b: number[], v: number) => b.push(v & 255, v >> 8 & 255);
  const hdr: number[] = [];
  hdr.push(1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1); // min_inst, default_is_stmt, line_base -5, line_range 14, opcode_base 13
  hdr.push(0);
  for (const s of sm.sources) hdr.push(...te.encode(s.replace(/^~lib/, "lib")), 0, 0, 0, 0);
  hdr.push(0);
  const p: number[] = [];
  let addr = -1, line = 1, file = 1;
  const text = l.secs.find((s) => s.name === ".text")!;
  const endA = text.addr + text.data.length;
  for (const [a, pos] of l.lines) {
    const e = lookup(sm, pos);
    if (!e) continue;
    if (addr < 0) {
      p.push(0, 5, 2);
      d4(p, a);
      addr = a;
    }
    if (e[1] + 1 !== file) {
      p.push(4);
      uleb(p, e[1] + 1);
      file = e[1] + 1;
    }
    const da = a - addr, dl = e[2] - line;
    if (dl >= -5 && dl < 9 && dl + 5 + 14 * da + 13 < 256) p.push(dl + 5 + 14 * da + 13);
    else {
      if (da) {
        p.push(2);
        uleb(p, da);
      }
      if (dl) {
        p.push(3);
        sleb(p, dl);
      }
      p.push(1);
    }
    addr = a;
    line = e[2];
  }
  p.push(2);
  uleb(p, endA - addr);
  p.push(0, 1, 1);
  const dl: number[] = [];
  d4(dl, 2 + 4 + hdr.length + p.length);
  d2(dl, 2);
  d4(dl, hdr.length);
  for (const x of hdr) dl.push(x);
  for (const x of p) dl.push(x);
  const ab = [
    1,
    0x11,
    1,
    0x10,
    0x06,
    0x11,
    0x01,
    0x12,
    0x01,
    0x03,
    0x08,
    0x1b,
    0x08,
    0x13,
    0x0b,
    0,
    0,
    2,
    0x2e,
    0,
    0x03,
    0x08,
    0x11,
    0x01,
    0x12,
    0x01,
    0x3f,
    0x0c,
    0,
    0,
    0,
  ];
  const di: number[] = [];
  const body: number[] = [];
  body.push(1);
  d4(body, 0);
  d4(body, text.addr);
  d4(body, endA);
  body.push(...te.encode(name), 0, ...te.encode(compDir), 0, 0x0c);
  for (const s of l.syms) {
    if (s.type === "f" && s.addr >= text.addr && s.addr < endA) {
      body.push(2, ...te.encode(s.name), 0);
      d4(body, s.addr);
      d4(body, s.addr + s.size);
      body.push(1);
    }
  }
  body.push(0);
  d4(di, 2 + 4 + 1 + body.length);
  d2(di, 2);
  d4(di, 0);
  di.push(4);
  for (const x of body) di.push(x);
  return [[".debug_line", Uint8Array.from(dl)], [".debug_abbrev", Uint8Array.from(ab)], [
    ".debug_info",
    Uint8Array.from(di),
  ]];
}
