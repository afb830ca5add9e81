/**
 * Numbers of the ATA task file and the PIIX bus-master interface (ATA/ATAPI-6; Intel 290550 PIIX3
 * data sheet §2.7; Programming Interface for Bus Master IDE Controller, rev. 1.0).
 *
 * @module
 */

/* Command block, offsets from 0x1F0 / 0x170. */
export const ATA_DATA: u32 = 0;
export const ATA_ERROR: u32 = 1;
export const ATA_FEATURES: u32 = 1;
export const ATA_COUNT: u32 = 2;
export const ATA_LOW: u32 = 3;
export const ATA_MID: u32 = 4;
export const ATA_HIGH: u32 = 5;
export const ATA_DEVICE: u32 = 6;
export const ATA_STATUS: u32 = 7;
export const ATA_COMMAND: u32 = 7;

/* Device control, written to the alternate status register. */
export const CONTROL_NO_INTERRUPT: u32 = 2;
export const CONTROL_RESET: u32 = 4;

/* Status. */
export const STATUS_ERROR: u32 = 0x01;
export const STATUS_DATA: u32 = 0x08;
export const STATUS_FAULT: u32 = 0x20;
export const STATUS_READY: u32 = 0x40;
export const STATUS_BUSY: u32 = 0x80;

/* Device register. */
export const DEVICE_LBA: u32 = 0x40;
export const DEVICE_SLAVE: u32 = 0x10;
export const DEVICE_FIXED: u32 = 0xa0;

/* Commands. */
export const COMMAND_READ: u32 = 0x20;
export const COMMAND_READ_EXT: u32 = 0x24;
export const COMMAND_READ_DMA: u32 = 0xc8;
export const COMMAND_READ_DMA_EXT: u32 = 0x25;
export const COMMAND_WRITE: u32 = 0x30;
export const COMMAND_WRITE_EXT: u32 = 0x34;
export const COMMAND_WRITE_DMA: u32 = 0xca;
export const COMMAND_WRITE_DMA_EXT: u32 = 0x35;
export const COMMAND_FLUSH: u32 = 0xe7;
export const COMMAND_FLUSH_EXT: u32 = 0xea;
export const COMMAND_IDENTIFY: u32 = 0xec;
export const COMMAND_SET_FEATURES: u32 = 0xef;
/** Feature: transfer mode, in the count register; 0x20 + n is multiword DMA mode n. */
export const FEATURE_MODE: u32 = 0x03;
export const MODE_MULTIWORD: u32 = 0x20;

/* Bus master, offsets from BAR 4, 8 apart for the second channel. */
export const MASTER_COMMAND: u32 = 0;
export const MASTER_STATUS: u32 = 2;
export const MASTER_TABLE: u32 = 4;
export const MASTER_START: u32 = 1;
/** The controller writes memory: a read of the disk. */
export const MASTER_TO_MEMORY: u32 = 8;
export const MASTER_ACTIVE: u32 = 1;
export const MASTER_ERROR: u32 = 2;
export const MASTER_INTERRUPT: u32 = 4;

/** Physical region descriptors in one page, and the bound that no region may cross. */
export const PRD_ENTRIES: u32 = 512;
export const PRD_BOUNDARY: u32 = 0x10000;
export const PRD_LAST: u32 = 0x80000000;

/** Sectors of one command: 128 KiB, which LBA28 says with count 0 as its largest, too. */
export const COMMAND_SECTORS: u32 = 256;
