/** PCI. @module */
export * from "./pci.ts";
