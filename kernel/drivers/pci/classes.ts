/**
 * Names of PCI classes (PCI Code and ID Assignment Specification §1), for the log.
 *
 * @module
 */

/** The name of a class and subclass, 0xCCSS; of the class alone where the subclass is unknown. */
export function pciClassName(code: u32): usize {
  switch (code) {
    case 0x0001:
      return c`VGA (old)`;
    case 0x0100:
      return c`SCSI controller`;
    case 0x0101:
      return c`IDE controller`;
    case 0x0102:
      return c`floppy controller`;
    case 0x0106:
      return c`SATA controller`;
    case 0x0108:
      return c`NVM controller`;
    case 0x0200:
      return c`Ethernet controller`;
    case 0x0300:
      return c`VGA controller`;
    case 0x0380:
      return c`display controller`;
    case 0x0401:
      return c`audio device`;
    case 0x0403:
      return c`HD audio device`;
    case 0x0500:
      return c`memory controller`;
    case 0x0600:
      return c`host bridge`;
    case 0x0601:
      return c`ISA bridge`;
    case 0x0604:
      return c`PCI bridge`;
    case 0x0680:
      return c`bridge`;
    case 0x0700:
      return c`serial controller`;
    case 0x0780:
      return c`communication controller`;
    case 0x0800:
      return c`interrupt controller`;
    case 0x0801:
      return c`DMA controller`;
    case 0x0802:
      return c`timer`;
    case 0x0803:
      return c`real-time clock`;
    case 0x0880:
      return c`system peripheral`;
    case 0x0900:
      return c`keyboard`;
    case 0x0c00:
      return c`FireWire controller`;
    case 0x0c03:
      return c`USB controller`;
    case 0x0c05:
      return c`SMBus controller`;
    default:
      return className(code >> 8);
  }
}

function className(code: u32): usize {
  switch (code) {
    case 0x01:
      return c`mass storage`;
    case 0x02:
      return c`network`;
    case 0x03:
      return c`display`;
    case 0x04:
      return c`multimedia`;
    case 0x05:
      return c`memory`;
    case 0x06:
      return c`bridge`;
    case 0x07:
      return c`communication`;
    case 0x08:
      return c`system`;
    case 0x09:
      return c`input`;
    case 0x0b:
      return c`processor`;
    case 0x0c:
      return c`serial bus`;
    case 0x10:
      return c`encryption`;
    default:
      return c`unknown device`;
  }
}
