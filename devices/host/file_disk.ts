/**
 * A disk image file as a block backend: opened in place, read and written by sector, never loaded whole.
 *
 * @module
 */
import { type BlockBackend, checkTransfer, SECTOR_BYTES } from "../bus/block.ts";

/** An image that cannot be used; the message is one sentence. */
export class ImageError extends Error {
  /** For `error.name`. */
  override name = "ImageError";
}

/** An open image file. Close it when the machine has ended. */
export class FileDisk implements BlockBackend, Disposable {
  readonly sectors: number;
  /** Whether the file is open for reading only. */
  readonly readOnly: boolean;
  readonly #file: Deno.FsFile;

  /**
   * Opens an image.
   *
   * @param path the image's file
   * @param options `readOnly`: the file is not written to (the guest's writes fail, or go into an overlay)
   * @throws {ImageError} when it is missing, no file, empty, not whole sectors long, not writable, or in use
   */
  constructor(path: string, options: { readonly readOnly: boolean }) {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(path);
    } catch (error) {
      throw new ImageError(
        error instanceof Deno.errors.NotFound
          ? `There is no image "${path}"; make one with: image build ${path}`
          : `Cannot open the image "${path}": ${reason(error)}`,
      );
    }
    if (info.isDirectory) throw new ImageError(`"${path}" is a directory, not a disk image`);
    this.sectors = Math.floor(info.size / SECTOR_BYTES);
    if (this.sectors === 0) throw new ImageError(`The image "${path}" is empty; build it again`);
    if (info.isFile && info.size % SECTOR_BYTES !== 0) {
      throw new ImageError(
        `The image "${path}" is cut off: its ${info.size} bytes are not whole sectors of ${SECTOR_BYTES}; build it again`,
      );
    }
    try {
      this.#file = Deno.openSync(path, { read: true, write: !options.readOnly });
    } catch (error) {
      throw new ImageError(
        options.readOnly
          ? `Cannot read the image "${path}": ${reason(error)}`
          : `Cannot write to the image "${path}": ${
            reason(error)
          }; use --snapshot to leave it unchanged`,
      );
    }
    this.readOnly = options.readOnly;
    // Two guests that write one file system destroy it, and a reader would see it change under it.
    if (!lock(this.#file, !options.readOnly)) {
      this.#file.close();
      throw new ImageError(
        `The image "${path}" is in use by another machine; end that one first${
          options.readOnly ? "" : ", or use --snapshot if it does so too"
        }`,
      );
    }
  }

  read(sector: number, into: Uint8Array): void {
    checkTransfer(this, sector, into.length);
    this.#file.seekSync(sector * SECTOR_BYTES, Deno.SeekMode.Start);
    for (let done = 0; done < into.length;) {
      const count = this.#file.readSync(into.subarray(done));
      if (count === null) {
        // The file was cut while the machine ran: what is gone reads as zero.
        into.fill(0, done);
        return;
      }
      done += count;
    }
  }

  write(sector: number, from: Uint8Array): void {
    checkTransfer(this, sector, from.length);
    if (this.readOnly) throw new RangeError("The disk is read-only");
    this.#file.seekSync(sector * SECTOR_BYTES, Deno.SeekMode.Start);
    for (let done = 0; done < from.length;) done += this.#file.writeSync(from.subarray(done));
  }

  flush(): void {
    if (!this.readOnly) this.#file.syncDataSync();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Locks a file as long as it is open; false when another open file has a lock that forbids it. */
function lock(file: Deno.FsFile, exclusive: boolean): boolean {
  try {
    return file.tryLockSync(exclusive);
  } catch {
    return true; // a file system without locks
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return "permission denied";
  }
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}
