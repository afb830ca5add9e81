/**
 * What processor this is: CPUID by the model.
 * Sources: SDM vol. 2 (CPUID), Intel AP-485 (CPUID of each family).
 * @module
 */
import type { Assist, Assists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { apicEnabled } from "./msr.ts";

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3] as const;
const FEATURE_APIC = 1 << 9;
const EXTENDED = 0x80000000;
/** Leaves 80000002h to 80000004h: 16 characters of the brand string each. */
const BRAND_LEAF = EXTENDED + 2;
const BRAND_BYTES = 48;

function brandLeaf(brand: string, leaf: number): [number, number, number, number] {
  const bytes = new Uint8Array(BRAND_BYTES);
  bytes.set(new TextEncoder().encode(brand.slice(0, BRAND_BYTES - 1)));
  const view = new DataView(bytes.buffer, (leaf - BRAND_LEAF) * 16);
  const word = (i: number): number => view.getInt32(4 * i, true);
  return [word(0), word(1), word(2), word(3)];
}

/** EAX EBX ECX EDX of a leaf; leaves beyond the last read as the last basic one. */
function leafOf(core: Core, leaf: number): readonly [number, number, number, number] {
  const { model } = core;
  const { brand, caches } = model;
  if (leaf >= EXTENDED && brand !== "") {
    if (leaf === EXTENDED) return [(BRAND_LEAF + 2) | 0, 0, 0, 0];
    if (leaf === EXTENDED + 1) return [0, 0, 0, 0];
    if (leaf < BRAND_LEAF + 3) return brandLeaf(brand, leaf);
  }
  // "GenuineIntel" in EBX, EDX, ECX.
  if (leaf === 0) return [caches === undefined ? 1 : 2, 0x756e6547, 0x6c65746e, 0x49656e69];
  if (leaf === 1 || caches === undefined) {
    const features = model.cpuidFeatures | (apicEnabled(core) ? FEATURE_APIC : 0);
    return [model.signature, model.cpuidBrand, 0, features];
  }
  return caches;
}

const cpuid: Assist = (core) => {
  const [a, b, c, d] = leafOf(core, core.gpr(EAX) >>> 0);
  core.setGpr(EAX, a);
  core.setGpr(EBX, b);
  core.setGpr(ECX, c);
  core.setGpr(EDX, d);
};

/** Assists that identify the processor. */
export const identityAssists: Assists = { cpuid };
