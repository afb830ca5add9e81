/**
 * Metadata blocks of a file system: pieces of the pages that cache its device.
 *
 * With blocks smaller than a page, neighbours of a metadata block may be data of a file, so validity
 * and dirt are kept by sector: only what was changed here is ever written from here.
 *
 * @module
 */
import { EIO, ENOMEM } from "../abi/errno.ts";
import {
  cacheCreate,
  cacheFind,
  cachePut,
  pageAddress,
  pageClearDirty,
  pageLock,
} from "./cache.ts";
import { pageUnlock } from "./cache.ts";
import { pageDirty, pageRead } from "./page_io.ts";
import { CachePage, PAGE_VALID, SuperBlock } from "./types.ts";

/** Pages that are read with a metadata page: 16 KiB in all. */
const AHEAD: u32 = 3;

/* The block that a pinned page was asked for is known to the caller; these compute from it. */
/*@inline*/
function pageOf(superBlock: SuperBlock, block: u32): u32 {
  return block >> (12 - superBlock.blockBits);
}

/** Where block `block` lies in its pinned page. */
export function metaAddress(superBlock: SuperBlock, page: CachePage, block: u32): usize {
  const inPage = block & ((4096 >> superBlock.blockBits) - 1);
  return pageAddress(page) + (inPage << superBlock.blockBits);
}

function sectorsOf(superBlock: SuperBlock, block: u32): u32 {
  const perBlock = superBlock.blockSize >> 9;
  const inPage = block & ((4096 >> superBlock.blockBits) - 1);
  return ((1 << perBlock) - 1) << (inPage * perBlock);
}

/** The pinned page that holds a block, valid, or -EIO, -ENOMEM. */
export function metaRead(superBlock: SuperBlock, block: u32): usize {
  const device = superBlock.device!;
  if ((<u64> block + 1) << (superBlock.blockBits - 9) > device.sectors) return <usize> -EIO;
  const index = pageOf(superBlock, block);
  const sectors = sectorsOf(superBlock, block);
  // A page of which only new blocks are valid has all that is needed for those.
  const found = cacheFind(device.inode, index);
  if (found !== null) {
    if ((found.validSectors & sectors) === sectors) return changetype<usize>(found);
    cachePut(found);
  }
  return pageRead(device.inode, index, AHEAD);
}

/** The pinned page of a block that is new: zeros, to be written. -EIO or -ENOMEM. */
export function metaNew(superBlock: SuperBlock, block: u32): usize {
  const device = superBlock.device!;
  if ((<u64> block + 1) << (superBlock.blockBits - 9) > device.sectors) return <usize> -EIO;
  const page = cacheCreate(device.inode, pageOf(superBlock, block));
  if (page === null) return <usize> -ENOMEM;
  // A read of the page under way would overwrite what we put there.
  pageLock(page);
  memory.fill(metaAddress(superBlock, page, block), 0, superBlock.blockSize);
  page.validSectors |= sectorsOf(superBlock, block);
  if (page.validSectors === 0xff) page.flags |= PAGE_VALID;
  pageUnlock(page);
  metaDirty(superBlock, page, block);
  return changetype<usize>(page);
}

/** The block was changed. */
export function metaDirty(superBlock: SuperBlock, page: CachePage, block: u32): void {
  page.dirtySectors |= sectorsOf(superBlock, block);
  pageDirty(page);
}

/** Ends the use of a block. */
export function metaPut(page: CachePage): void {
  cachePut(page);
}

/** The block is free: what was changed in it need not be written, and must not be. */
export function metaForget(superBlock: SuperBlock, block: u32): void {
  const page = cacheFind(superBlock.device!.inode, pageOf(superBlock, block));
  if (page === null) return;
  page.dirtySectors &= ~sectorsOf(superBlock, block);
  if (page.dirtySectors === 0) pageClearDirty(page);
  cachePut(page);
}
