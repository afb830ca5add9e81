/**
 * A PC's hardware: chips, buses, the board, and the loader that puts a kernel on it.
 *
 * Knows no host but through the interfaces that it is given ({@link BlockBackend}, {@link ByteSink},
 * {@link HostTime}); `devices/host/mod.ts` has them for Deno.
 *
 * @module
 */
export { type BlockBackend, MemoryDisk, SECTOR_BYTES, SnapshotDisk } from "./bus/block.ts";
export { type Mapping, MemoryBus, PortBus } from "./bus/buses.ts";
export { Clock, NS_PER_INSTRUCTION, type Timer } from "./bus/clock.ts";
export type { Device, Registers, Saved, Width } from "./bus/device.ts";
export type { ByteSink, HostTime } from "./bus/stream.ts";
export { Wire } from "./bus/wire.ts";
export { screenEscapes, screenText } from "./display/text_screen.ts";
export type { BochsVbe } from "./display/bochs_vbe.ts";
export type { VbeMode } from "./display/vbe_image.ts";
export type { VideoMemory } from "./display/video_memory.ts";
export type { DisplayImage } from "./display/scan_out.ts";
export type { TextScreen, Vga } from "./display/vga.ts";
export type { Ps2Device } from "./input/ps2_port.ts";
export type { CoprocessorError } from "./interrupt/coprocessor_error.ts";
export type { I8259 } from "./interrupt/i8259.ts";
export type { InterruptLines } from "./interrupt/interrupt_lines.ts";
export type { IoApic } from "./interrupt/io_apic.ts";
export type { ApicMessage } from "./interrupt/apic_message.ts";
export type { LocalApic } from "./interrupt/local_apic.ts";
export type { PicPair } from "./interrupt/pic_pair.ts";
export type { PostPort } from "./debug/ports.ts";
export type { IoRange, MemoryRange, PciFunction, PciIdentity } from "./pci/function.ts";
export type { Shadowing } from "./pci/i440fx.ts";
export type { PciConfiguration } from "./pci/host_bridge.ts";
export type { Piix4Pm } from "./power/piix4_pm.ts";
export type { BusMaster, DmaMemory } from "./storage/bus_master.ts";
export type { IdeChannel } from "./storage/ide_channel.ts";
export type { Hpet } from "./timer/hpet.ts";
export type { I8254 } from "./timer/i8254.ts";
export type { Mc146818 } from "./timer/mc146818.ts";
export type { Ps2Keyboard } from "./input/ps2_keyboard.ts";
export type { Ps2Mouse } from "./input/ps2_mouse.ts";
export type { Key } from "./input/scan_codes.ts";
export type { AcpiFiles } from "./pc/acpi/tables.ts";
export { isBiosSize } from "./pc/bios.ts";
export type { FwCfg } from "./pc/fw_cfg.ts";
export { Board, type BoardOptions } from "./pc/board.ts";
export {
  findFileSystems,
  findKernel,
  type FoundKernel,
  INITRD_PATH,
  KERNEL_PATH,
  loadKernel,
} from "./pc/boot.ts";
export { BootError, type BootTarget, type EntryState } from "./pc/boot_target.ts";
export { type InitialRamDisk, isLinuxKernel, type LinuxOptions } from "./pc/linux_boot.ts";
export {
  ElfError,
  type ElfFile,
  type ElfSection,
  type ElfSegment,
  type ElfSymbol,
  isElf,
  readElf,
} from "./pc/elf.ts";
export { Ext2Error, Ext2Reader, type ReadBytes } from "./pc/ext2.ts";
export { type ExitReason, Machine, type MachineOptions, TRANSLATE_AFTER } from "./pc/machine.ts";
export { IRQ } from "./pc/places.ts";
export { type Partition, readPartitions, type ReadSectors } from "./pc/partition.ts";
export type { Ns16550a } from "./serial/ns16550a.ts";
