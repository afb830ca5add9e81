/**
 * poll and select (asm-generic/poll.h, linux/posix_types.h).
 *
 * @module
 */
export const POLLIN: u32 = 0x001;
export const POLLPRI: u32 = 0x002;
export const POLLOUT: u32 = 0x004;
export const POLLERR: u32 = 0x008;
export const POLLHUP: u32 = 0x010;
export const POLLNVAL: u32 = 0x020;
export const POLLRDNORM: u32 = 0x040;
export const POLLRDBAND: u32 = 0x080;
export const POLLWRNORM: u32 = 0x100;
export const POLLWRBAND: u32 = 0x200;
export const POLLRDHUP: u32 = 0x2000;
/** What a file without poll is: always ready. */
export const DEFAULT_POLLMASK: u32 = 0x145;
/** Bytes of struct pollfd: fd, events (16 bits), revents (16 bits). */
export const POLLFD_SIZE: u32 = 8;
/** Descriptors in an fd_set. */
export const FD_SETSIZE: u32 = 1024;
