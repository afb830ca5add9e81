/**
 * Physical memory, paging and segmentation.
 * @module
 */
export { createMemoryUnit, Memory } from "./memory.ts";
export { PhysicalMemory, type Route } from "./physical.ts";
export {
  checkedDescriptor,
  Descriptor,
  descriptorAt,
  isNull,
  markAccessed,
  readDescriptor,
  selectorError,
  SYSTEM_TYPE,
} from "./descriptor.ts";
export {
  dropInnerSegments,
  loadDescriptor,
  loadNull,
  loadSegment,
  loadSegmentReal,
  stackDescriptor,
} from "./segments.ts";
