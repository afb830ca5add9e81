/**
 * Terminal settings as i386 Linux lays them out: `struct termios` of the kernel is 36 bytes (four
 * words of flags, the line discipline, 19 control characters), `struct termios2` adds two speeds.
 *
 * @module
 */

/** Bytes of `struct termios`, as TCGETS writes it. */
export const TERMIOS_SIZE: u32 = 36;
/** Bytes of `struct termios2`, as TCGETS2 writes it. */
export const TERMIOS2_SIZE: u32 = 44;
/** Bytes of `struct winsize`. */
export const WINSIZE_SIZE: u32 = 8;
/** Offset of c_line, of c_cc, and of the two speeds of termios2. */
export const TERMIOS_LINE: u32 = 16;
export const TERMIOS_CC: u32 = 17;
export const TERMIOS_ISPEED: u32 = 36;
export const TERMIOS_OSPEED: u32 = 40;

/* Indices in c_cc. */
export const VINTR: u32 = 0;
export const VQUIT: u32 = 1;
export const VERASE: u32 = 2;
export const VKILL: u32 = 3;
export const VEOF: u32 = 4;
export const VTIME: u32 = 5;
export const VMIN: u32 = 6;
export const VSWTC: u32 = 7;
export const VSTART: u32 = 8;
export const VSTOP: u32 = 9;
export const VSUSP: u32 = 10;
export const VEOL: u32 = 11;
export const VREPRINT: u32 = 12;
export const VDISCARD: u32 = 13;
export const VWERASE: u32 = 14;
export const VLNEXT: u32 = 15;
export const VEOL2: u32 = 16;
export const NCCS: u32 = 19;

/* c_iflag */
export const IGNBRK: u32 = 0x0001;
export const BRKINT: u32 = 0x0002;
export const IGNPAR: u32 = 0x0004;
export const PARMRK: u32 = 0x0008;
export const INPCK: u32 = 0x0010;
export const ISTRIP: u32 = 0x0020;
export const INLCR: u32 = 0x0040;
export const IGNCR: u32 = 0x0080;
export const ICRNL: u32 = 0x0100;
export const IUCLC: u32 = 0x0200;
export const IXON: u32 = 0x0400;
export const IXANY: u32 = 0x0800;
export const IXOFF: u32 = 0x1000;
export const IMAXBEL: u32 = 0x2000;
export const IUTF8: u32 = 0x4000;

/* c_oflag */
export const OPOST: u32 = 0x0001;
export const OLCUC: u32 = 0x0002;
export const ONLCR: u32 = 0x0004;
export const OCRNL: u32 = 0x0008;
export const ONOCR: u32 = 0x0010;
export const ONLRET: u32 = 0x0020;
export const TABDLY: u32 = 0x1800;
export const XTABS: u32 = 0x1800;

/* c_cflag */
export const CBAUD: u32 = 0x100f;
export const CBAUDEX: u32 = 0x1000;
export const B0: u32 = 0;
export const B9600: u32 = 0x000d;
export const B38400: u32 = 0x000f;
export const B115200: u32 = 0x1002;
export const BOTHER: u32 = 0x1000;
export const CSIZE: u32 = 0x0030;
export const CS5: u32 = 0x0000;
export const CS6: u32 = 0x0010;
export const CS7: u32 = 0x0020;
export const CS8: u32 = 0x0030;
export const CSTOPB: u32 = 0x0040;
export const CREAD: u32 = 0x0080;
export const PARENB: u32 = 0x0100;
export const PARODD: u32 = 0x0200;
export const HUPCL: u32 = 0x0400;
export const CLOCAL: u32 = 0x0800;
export const CRTSCTS: u32 = 0x80000000;

/* c_lflag */
export const ISIG: u32 = 0x0001;
export const ICANON: u32 = 0x0002;
export const XCASE: u32 = 0x0004;
export const ECHO: u32 = 0x0008;
export const ECHOE: u32 = 0x0010;
export const ECHOK: u32 = 0x0020;
export const ECHONL: u32 = 0x0040;
export const NOFLSH: u32 = 0x0080;
export const TOSTOP: u32 = 0x0100;
export const ECHOCTL: u32 = 0x0200;
export const ECHOPRT: u32 = 0x0400;
export const ECHOKE: u32 = 0x0800;
export const FLUSHO: u32 = 0x1000;
export const PENDIN: u32 = 0x4000;
export const IEXTEN: u32 = 0x8000;
export const EXTPROC: u32 = 0x10000;

/* TCFLSH and TCXONC arguments */
export const TCIFLUSH: u32 = 0;
export const TCOFLUSH: u32 = 1;
export const TCIOFLUSH: u32 = 2;
export const TCOOFF: u32 = 0;
export const TCOON: u32 = 1;
export const TCIOFF: u32 = 2;
export const TCION: u32 = 3;
