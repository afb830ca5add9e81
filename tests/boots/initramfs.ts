/**
 * Initial RAM disks for Linux: a cpio archive in the "newc" form that the kernel unpacks. The same tree gives the
 * same bytes: times and owners are 0, inode numbers count.
 *
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * @module
 */

/** What the archive holds, by path without a leading slash; folders come before what is in them. */
export type InitramfsEntry =
  | { readonly path: string; readonly kind: "folder" }
  | {
    readonly path: string;
    readonly kind: "file";
    readonly bytes: Uint8Array | string;
    readonly mode?: number;
  }
  | { readonly path: string; readonly kind: "link"; readonly to: string }
  | {
    readonly path: string;
    readonly kind: "character";
    readonly major: number;
    readonly minor: number;
  };

const MODES = { folder: 0o040755, file: 0o100000, link: 0o120777, character: 0o020600 } as const;

/** Writes the archive. */
export function writeInitramfs(entries: readonly InitramfsEntry[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (bytes: Uint8Array): void => {
    parts.push(bytes);
    length += bytes.length;
    const padding = -length & 3;
    if (padding !== 0) parts.push(new Uint8Array(padding));
    length += padding;
  };
  const record = (name: string, mode: number, inode: number, data: Uint8Array, device = [0, 0]) => {
    const path = encoder.encode(`${name}\0`);
    const fields = [
      inode,
      mode,
      0, // uid
      0, // gid
      1, // links
      0, // time
      data.length,
      0, // device of the file system
      0,
      device[0] as number,
      device[1] as number,
      path.length,
      0, // checksum
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    put(new Uint8Array([...encoder.encode(header), ...path]));
    put(data);
  };
  for (const [index, entry] of entries.entries()) {
    const inode = index + 1;
    const none = new Uint8Array();
    if (entry.kind === "folder") record(entry.path, MODES.folder, inode, none);
    else if (entry.kind === "link") record(entry.path, MODES.link, inode, encoder.encode(entry.to));
    else if (entry.kind === "character") {
      record(entry.path, MODES.character, inode, none, [entry.major, entry.minor]);
    } else {
      const bytes = typeof entry.bytes === "string" ? encoder.encode(entry.bytes) : entry.bytes;
      record(entry.path, MODES.file | (entry.mode ?? 0o644), inode, bytes);
    }
  }
  record("TRAILER!!!", 0, 0, new Uint8Array());
  const archive = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
