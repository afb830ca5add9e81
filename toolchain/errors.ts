/**
 * The one error that the tool chain throws for mistakes in a program.
 *
 * @module
 */

/** A place in a source file. */
export interface SourcePosition {
  /** Relative to the program's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/**
 * A mistake in the program that is being built. `message` holds every diagnostic, one a line, each as
 * `file:line:column: text`; `position` is that of the first one that has a place.
 */
export class CompileError extends Error {
  /** Always `"CompileError"`. */
  override readonly name = "CompileError";
  /** The first place that the message names. */
  readonly position: SourcePosition | undefined;

  /** `message` is put behind the place, if there is one. */
  constructor(message: string, position?: SourcePosition) {
    super(position === undefined ? message : `${formatPosition(position)}: ${message}`);
    this.position = position;
  }

  /** Several diagnostics as one error. */
  static of(diagnostics: readonly Diagnostic[]): CompileError {
    const text = diagnostics.map(formatDiagnostic).join("\n");
    const first = diagnostics.find((diagnostic) => diagnostic.position !== undefined);
    const error = new CompileError(text);
    if (first?.position !== undefined) Object.assign(error, { position: first.position });
    return error;
  }
}

/** One finding, with its place where there is one. */
export interface Diagnostic {
  readonly text: string;
  readonly position: SourcePosition | undefined;
}

/** `file:line:column: text`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { text, position } = diagnostic;
  return position === undefined ? text : `${formatPosition(position)}: ${text}`;
}

function formatPosition(position: SourcePosition): string {
  return `${position.file}:${position.line}:${position.column}`;
}
