/**
 * ioctl request numbers of i386 Linux (asm/ioctls.h, linux/vt.h, kd.h, fs.h, random.h, rtc.h).
 *
 * @module
 */

/* Terminals (ioctl_tty(2)). */
export const TCGETS: u32 = 0x5401;
export const TCSETS: u32 = 0x5402;
export const TCSETSW: u32 = 0x5403;
export const TCSETSF: u32 = 0x5404;
export const TCGETA: u32 = 0x5405;
export const TCSETA: u32 = 0x5406;
export const TCSBRK: u32 = 0x5409;
export const TCXONC: u32 = 0x540a;
export const TCFLSH: u32 = 0x540b;
export const TIOCEXCL: u32 = 0x540c;
export const TIOCNXCL: u32 = 0x540d;
export const TIOCSCTTY: u32 = 0x540e;
export const TIOCGPGRP: u32 = 0x540f;
export const TIOCSPGRP: u32 = 0x5410;
export const TIOCOUTQ: u32 = 0x5411;
export const TIOCSTI: u32 = 0x5412;
export const TIOCGWINSZ: u32 = 0x5413;
export const TIOCSWINSZ: u32 = 0x5414;
export const TIOCMGET: u32 = 0x5415;
export const TIOCMBIS: u32 = 0x5416;
export const TIOCMBIC: u32 = 0x5417;
export const TIOCMSET: u32 = 0x5418;
export const FIONREAD: u32 = 0x541b;
export const TIOCCONS: u32 = 0x541d;
export const TIOCPKT: u32 = 0x5420;
export const FIONBIO: u32 = 0x5421;
export const TIOCNOTTY: u32 = 0x5422;
export const TIOCSETD: u32 = 0x5423;
export const TIOCGETD: u32 = 0x5424;
export const TCSBRKP: u32 = 0x5425;
export const TIOCSBRK: u32 = 0x5427;
export const TIOCCBRK: u32 = 0x5428;
export const TIOCGSID: u32 = 0x5429;
export const TCGETS2: u32 = 0x802c542a;
export const TCSETS2: u32 = 0x402c542b;
export const TCSETSW2: u32 = 0x402c542c;
export const TCSETSF2: u32 = 0x402c542d;
export const TIOCGPTN: u32 = 0x80045430;
export const TIOCSPTLCK: u32 = 0x40045431;
export const TIOCGDEV: u32 = 0x80045432;
export const TIOCSIG: u32 = 0x40045436;
export const TIOCVHANGUP: u32 = 0x5437;
export const TIOCGPKT: u32 = 0x80045438;
export const TIOCGPTLCK: u32 = 0x80045439;
export const TIOCGEXCL: u32 = 0x80045440;
export const TIOCGPTPEER: u32 = 0x5441;
export const FIOASYNC: u32 = 0x5452;
export const FIOCLEX: u32 = 0x5451;
export const FIONCLEX: u32 = 0x5450;
export const TIOCLINUX: u32 = 0x541c;

/* Consoles and keyboards (ioctl_console(2)). */
export const VT_OPENQRY: u32 = 0x5600;
export const VT_GETMODE: u32 = 0x5601;
export const VT_SETMODE: u32 = 0x5602;
export const VT_GETSTATE: u32 = 0x5603;
export const VT_ACTIVATE: u32 = 0x5606;
export const VT_WAITACTIVE: u32 = 0x5607;
export const KDGETMODE: u32 = 0x4b3b;
export const KDSETMODE: u32 = 0x4b3a;
export const KDGKBTYPE: u32 = 0x4b33;
export const KDGKBMODE: u32 = 0x4b44;
export const KDSKBMODE: u32 = 0x4b45;
export const KDGKBLED: u32 = 0x4b64;
export const KDSETLED: u32 = 0x4b32;
export const KDGKBENT: u32 = 0x4b46;

/* Block devices. */
export const BLKGETSIZE: u32 = 0x1260;
export const BLKGETSIZE64: u32 = 0x80041272;
export const BLKSSZGET: u32 = 0x1268;
export const BLKFLSBUF: u32 = 0x1261;
export const BLKROGET: u32 = 0x125e;
export const BLKRRPART: u32 = 0x125f;
export const BLKBSZGET: u32 = 0x80041270;
export const HDIO_GETGEO: u32 = 0x301;

/* Random numbers and the clock chip. */
export const RNDGETENTCNT: u32 = 0x80045200;
export const RNDADDTOENTCNT: u32 = 0x40045201;
export const RNDADDENTROPY: u32 = 0x40085203;
export const RTC_RD_TIME: u32 = 0x80247009;
export const RTC_SET_TIME: u32 = 0x4024700a;
