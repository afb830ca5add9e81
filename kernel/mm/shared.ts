/**
 * Anonymous memory that several address spaces share (MAP_SHARED | MAP_ANONYMOUS): an object that
 * holds its pages.
 *
 * @module
 */
import { kfree, kmalloc, kzalloc } from "./heap.ts";
import { allocPageZeroed, pageRef, pageUnref } from "./page.ts";
import { PAGE_BEYOND, PAGE_NO_MEMORY, Vma, VmOps } from "./space.ts";

/*@unmanaged*/
// deno-lint-ignore no-unused-vars -- only its type is used
class SharedPages {
  references: u32;
  count: u32;
  /** Physical addresses, 0 for pages not touched yet. */
  pages: usize;
}

let operations: VmOps | null = null;

function page(area: Vma, index: u32, _write: bool): u32 {
  const object = changetype<SharedPages>(area.object);
  if (index >= object.count) return PAGE_BEYOND;
  const slot = object.pages + (index << 2);
  if (load<u32>(slot) === 0) {
    const fresh = allocPageZeroed();
    if (fresh === 0) return PAGE_NO_MEMORY;
    store<u32>(slot, fresh);
  }
  pageRef(load<u32>(slot));
  return load<u32>(slot);
}

function open(area: Vma): void {
  changetype<SharedPages>(area.object).references++;
}

function close(area: Vma): void {
  const object = changetype<SharedPages>(area.object);
  if (--object.references > 0) return;
  for (let i: u32 = 0; i < object.count; i++) {
    const physical = load<u32>(object.pages + (i << 2));
    if (physical !== 0) pageUnref(physical);
  }
  kfree(object.pages);
  kfree(changetype<usize>(object));
}

function dirty(_area: Vma, _index: u32): void {}

/** Backs a new area with shared pages: false when memory is out. */
export function shareAnonymous(area: Vma): bool {
  if (operations === null) {
    const ops = changetype<VmOps>(kmalloc(offsetof<VmOps>()));
    if (changetype<usize>(ops) === 0) return false;
    ops.page = page;
    ops.open = open;
    ops.close = close;
    ops.dirty = dirty;
    operations = ops;
  }
  const object = changetype<SharedPages | null>(kzalloc(offsetof<SharedPages>()));
  if (object === null) return false;
  object.count = (area.end - area.start) >> 12;
  object.pages = kzalloc(object.count << 2);
  if (object.pages === 0) {
    kfree(changetype<usize>(object));
    return false;
  }
  object.references = 1;
  area.object = changetype<usize>(object);
  area.pageOffset = 0;
  area.ops = operations;
  return true;
}
