/**
 * Memory: pages, heap, address spaces, user copies.
 *
 * @module
 */
export { heapInUse, kfree, kmalloc, kstrdup, kzalloc } from "./heap.ts";
export {
  allocPage,
  allocPages,
  allocPageZeroed,
  freePages,
  PAGE_MASK,
  PAGE_SHIFT,
  PAGE_SIZE,
  pageRef,
  pageReferences,
  pagesFree,
  pagesTotal,
  pageUnref,
  physToVirt,
  reclaimRegister,
  virtToPhys,
} from "./page.ts";
export {
  areaAt,
  areaAtOrAbove,
  Mm,
  PAGE_BEYOND,
  PAGE_IO_ERROR,
  PAGE_NO_MEMORY,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_HEAP,
  VM_MAYWRITE,
  VM_SHARED,
  VM_STACK,
  VM_VSYSCALL,
  Vma,
  VmOps,
} from "./space.ts";
export {
  IOV_MAX,
  Transfer,
  transferFree,
  transferIn,
  transferInit,
  transferKernel,
  transferNew,
  transferOut,
  transferUser,
  transferVector,
} from "./transfer.ts";
export {
  clearOut,
  copyIn,
  copyInString,
  copyOut,
  getUser32,
  putUser32,
  USER_END,
  userRange,
  userWord,
} from "./user.ts";
