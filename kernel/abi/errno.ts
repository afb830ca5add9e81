/**
 * Error numbers of the Linux i386 ABI (asm-generic/errno.h). A system call returns their negative.
 *
 * @module
 */
/** Operation not permitted. */
export const EPERM: i32 = 1;
/** No such file or directory. */
export const ENOENT: i32 = 2;
/** No such process. */
export const ESRCH: i32 = 3;
/** Interrupted system call. */
export const EINTR: i32 = 4;
/** Input/output error. */
export const EIO: i32 = 5;
/** No such device or address. */
export const ENXIO: i32 = 6;
/** Argument list too long. */
export const E2BIG: i32 = 7;
/** Exec format error. */
export const ENOEXEC: i32 = 8;
/** Bad file descriptor. */
export const EBADF: i32 = 9;
/** No child processes. */
export const ECHILD: i32 = 10;
/** Resource temporarily unavailable. */
export const EAGAIN: i32 = 11;
/** Cannot allocate memory. */
export const ENOMEM: i32 = 12;
/** Permission denied. */
export const EACCES: i32 = 13;
/** Bad address. */
export const EFAULT: i32 = 14;
/** Block device required. */
export const ENOTBLK: i32 = 15;
/** Device or resource busy. */
export const EBUSY: i32 = 16;
/** File exists. */
export const EEXIST: i32 = 17;
/** Invalid cross-device link. */
export const EXDEV: i32 = 18;
/** No such device. */
export const ENODEV: i32 = 19;
/** Not a directory. */
export const ENOTDIR: i32 = 20;
/** Is a directory. */
export const EISDIR: i32 = 21;
/** Invalid argument. */
export const EINVAL: i32 = 22;
/** Too many open files in system. */
export const ENFILE: i32 = 23;
/** Too many open files. */
export const EMFILE: i32 = 24;
/** Inappropriate ioctl for device. */
export const ENOTTY: i32 = 25;
/** Text file busy. */
export const ETXTBSY: i32 = 26;
/** File too large. */
export const EFBIG: i32 = 27;
/** No space left on device. */
export const ENOSPC: i32 = 28;
/** Illegal seek. */
export const ESPIPE: i32 = 29;
/** Read-only file system. */
export const EROFS: i32 = 30;
/** Too many links. */
export const EMLINK: i32 = 31;
/** Broken pipe. */
export const EPIPE: i32 = 32;
/** Numerical argument out of domain. */
export const EDOM: i32 = 33;
/** Numerical result out of range. */
export const ERANGE: i32 = 34;
/** Resource deadlock avoided. */
export const EDEADLK: i32 = 35;
/** File name too long. */
export const ENAMETOOLONG: i32 = 36;
/** No locks available. */
export const ENOLCK: i32 = 37;
/** Function not implemented. */
export const ENOSYS: i32 = 38;
/** Directory not empty. */
export const ENOTEMPTY: i32 = 39;
/** Too many levels of symbolic links. */
export const ELOOP: i32 = 40;
/** No message of desired type. */
export const ENOMSG: i32 = 42;
/** Identifier removed. */
export const EIDRM: i32 = 43;
/** Channel number out of range. */
export const ECHRNG: i32 = 44;
/** Level 2 not synchronized. */
export const EL2NSYNC: i32 = 45;
/** Level 3 halted. */
export const EL3HLT: i32 = 46;
/** Level 3 reset. */
export const EL3RST: i32 = 47;
/** Link number out of range. */
export const ELNRNG: i32 = 48;
/** Protocol driver not attached. */
export const EUNATCH: i32 = 49;
/** No CSI structure available. */
export const ENOCSI: i32 = 50;
/** Level 2 halted. */
export const EL2HLT: i32 = 51;
/** Invalid exchange. */
export const EBADE: i32 = 52;
/** Invalid request descriptor. */
export const EBADR: i32 = 53;
/** Exchange full. */
export const EXFULL: i32 = 54;
/** No anode. */
export const ENOANO: i32 = 55;
/** Invalid request code. */
export const EBADRQC: i32 = 56;
/** Invalid slot. */
export const EBADSLT: i32 = 57;
/** Bad font file format. */
export const EBFONT: i32 = 59;
/** Device not a stream. */
export const ENOSTR: i32 = 60;
/** No data available. */
export const ENODATA: i32 = 61;
/** Timer expired. */
export const ETIME: i32 = 62;
/** Out of streams resources. */
export const ENOSR: i32 = 63;
/** Machine is not on the network. */
export const ENONET: i32 = 64;
/** Package not installed. */
export const ENOPKG: i32 = 65;
/** Object is remote. */
export const EREMOTE: i32 = 66;
/** Link has been severed. */
export const ENOLINK: i32 = 67;
/** Advertise error. */
export const EADV: i32 = 68;
/** Srmount error. */
export const ESRMNT: i32 = 69;
/** Communication error on send. */
export const ECOMM: i32 = 70;
/** Protocol error. */
export const EPROTO: i32 = 71;
/** Multihop attempted. */
export const EMULTIHOP: i32 = 72;
/** RFS specific error. */
export const EDOTDOT: i32 = 73;
/** Bad message. */
export const EBADMSG: i32 = 74;
/** Value too large for defined data type. */
export const EOVERFLOW: i32 = 75;
/** Name not unique on network. */
export const ENOTUNIQ: i32 = 76;
/** File descriptor in bad state. */
export const EBADFD: i32 = 77;
/** Remote address changed. */
export const EREMCHG: i32 = 78;
/** Can not access a needed shared library. */
export const ELIBACC: i32 = 79;
/** Accessing a corrupted shared library. */
export const ELIBBAD: i32 = 80;
/** .lib section in a.out corrupted. */
export const ELIBSCN: i32 = 81;
/** Attempting to link in too many shared libraries. */
export const ELIBMAX: i32 = 82;
/** Cannot exec a shared library directly. */
export const ELIBEXEC: i32 = 83;
/** Invalid or incomplete multibyte or wide character. */
export const EILSEQ: i32 = 84;
/** Interrupted system call should be restarted. */
export const ERESTART: i32 = 85;
/** Streams pipe error. */
export const ESTRPIPE: i32 = 86;
/** Too many users. */
export const EUSERS: i32 = 87;
/** Socket operation on non-socket. */
export const ENOTSOCK: i32 = 88;
/** Destination address required. */
export const EDESTADDRREQ: i32 = 89;
/** Message too long. */
export const EMSGSIZE: i32 = 90;
/** Protocol wrong type for socket. */
export const EPROTOTYPE: i32 = 91;
/** Protocol not available. */
export const ENOPROTOOPT: i32 = 92;
/** Protocol not supported. */
export const EPROTONOSUPPORT: i32 = 93;
/** Socket type not supported. */
export const ESOCKTNOSUPPORT: i32 = 94;
/** Operation not supported. */
export const EOPNOTSUPP: i32 = 95;
/** Protocol family not supported. */
export const EPFNOSUPPORT: i32 = 96;
/** Address family not supported by protocol. */
export const EAFNOSUPPORT: i32 = 97;
/** Address already in use. */
export const EADDRINUSE: i32 = 98;
/** Cannot assign requested address. */
export const EADDRNOTAVAIL: i32 = 99;
/** Network is down. */
export const ENETDOWN: i32 = 100;
/** Network is unreachable. */
export const ENETUNREACH: i32 = 101;
/** Network dropped connection on reset. */
export const ENETRESET: i32 = 102;
/** Software caused connection abort. */
export const ECONNABORTED: i32 = 103;
/** Connection reset by peer. */
export const ECONNRESET: i32 = 104;
/** No buffer space available. */
export const ENOBUFS: i32 = 105;
/** Transport endpoint is already connected. */
export const EISCONN: i32 = 106;
/** Transport endpoint is not connected. */
export const ENOTCONN: i32 = 107;
/** Cannot send after transport endpoint shutdown. */
export const ESHUTDOWN: i32 = 108;
/** Too many references: cannot splice. */
export const ETOOMANYREFS: i32 = 109;
/** Connection timed out. */
export const ETIMEDOUT: i32 = 110;
/** Connection refused. */
export const ECONNREFUSED: i32 = 111;
/** Host is down. */
export const EHOSTDOWN: i32 = 112;
/** No route to host. */
export const EHOSTUNREACH: i32 = 113;
/** Operation already in progress. */
export const EALREADY: i32 = 114;
/** Operation now in progress. */
export const EINPROGRESS: i32 = 115;
/** Stale file handle. */
export const ESTALE: i32 = 116;
/** Structure needs cleaning. */
export const EUCLEAN: i32 = 117;
/** Not a XENIX named type file. */
export const ENOTNAM: i32 = 118;
/** No XENIX semaphores available. */
export const ENAVAIL: i32 = 119;
/** Is a named type file. */
export const EISNAM: i32 = 120;
/** Remote I/O error. */
export const EREMOTEIO: i32 = 121;
/** Disk quota exceeded. */
export const EDQUOT: i32 = 122;
/** No medium found. */
export const ENOMEDIUM: i32 = 123;
/** Wrong medium type. */
export const EMEDIUMTYPE: i32 = 124;
/** Operation canceled. */
export const ECANCELED: i32 = 125;
/** Required key not available. */
export const ENOKEY: i32 = 126;
/** Key has expired. */
export const EKEYEXPIRED: i32 = 127;
/** Key has been revoked. */
export const EKEYREVOKED: i32 = 128;
/** Key was rejected by service. */
export const EKEYREJECTED: i32 = 129;
/** Owner died. */
export const EOWNERDEAD: i32 = 130;
/** State not recoverable. */
export const ENOTRECOVERABLE: i32 = 131;
/** Operation not possible due to RF-kill. */
export const ERFKILL: i32 = 132;
/** Memory page has hardware error. */
export const EHWPOISON: i32 = 133;
