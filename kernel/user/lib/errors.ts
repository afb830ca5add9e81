/**
 * The texts of error numbers, as strerror(3) of the C library gives them.
 *
 * @module
 */

/** The text of `error`, an errno or its negative. */
export function errorText(error: i32): usize {
  switch (error < 0 ? -error : error) {
    case 0:
      return c`Success`;
    case 1:
      return c`Operation not permitted`;
    case 2:
      return c`No such file or directory`;
    case 3:
      return c`No such process`;
    case 4:
      return c`Interrupted system call`;
    case 5:
      return c`Input/output error`;
    case 6:
      return c`No such device or address`;
    case 7:
      return c`Argument list too long`;
    case 8:
      return c`Exec format error`;
    case 9:
      return c`Bad file descriptor`;
    case 10:
      return c`No child processes`;
    case 11:
      return c`Resource temporarily unavailable`;
    case 12:
      return c`Cannot allocate memory`;
    case 13:
      return c`Permission denied`;
    case 14:
      return c`Bad address`;
    case 15:
      return c`Block device required`;
    case 16:
      return c`Device or resource busy`;
    case 17:
      return c`File exists`;
    case 18:
      return c`Invalid cross-device link`;
    case 19:
      return c`No such device`;
    case 20:
      return c`Not a directory`;
    case 21:
      return c`Is a directory`;
    case 22:
      return c`Invalid argument`;
    case 23:
      return c`Too many open files in system`;
    case 24:
      return c`Too many open files`;
    case 25:
      return c`Inappropriate ioctl for device`;
    case 26:
      return c`Text file busy`;
    case 27:
      return c`File too large`;
    case 28:
      return c`No space left on device`;
    case 29:
      return c`Illegal seek`;
    case 30:
      return c`Read-only file system`;
    case 31:
      return c`Too many links`;
    case 32:
      return c`Broken pipe`;
    case 33:
      return c`Numerical argument out of domain`;
    case 34:
      return c`Numerical result out of range`;
    case 35:
      return c`Resource deadlock avoided`;
    case 36:
      return c`File name too long`;
    case 37:
      return c`No locks available`;
    case 38:
      return c`Function not implemented`;
    case 39:
      return c`Directory not empty`;
    case 40:
      return c`Too many levels of symbolic links`;
    case 61:
      return c`No data available`;
    case 71:
      return c`Protocol error`;
    case 75:
      return c`Value too large for defined data type`;
    case 84:
      return c`Invalid or incomplete multibyte or wide character`;
    case 88:
      return c`Socket operation on non-socket`;
    case 95:
      return c`Operation not supported`;
    case 97:
      return c`Address family not supported by protocol`;
    case 110:
      return c`Connection timed out`;
    case 111:
      return c`Connection refused`;
    case 116:
      return c`Stale file handle`;
    case 122:
      return c`Disk quota exceeded`;
    default:
      return c`Unknown error`;
  }
}
