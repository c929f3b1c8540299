import { CrispenError, internal, throwIfAborted } from '../errors.ts';
import { type PngHeader, pngWriter, type Rows } from './png/pngStream.ts';

/** Receives the bytes of one file in order. If anything fails, `abort` is called. */
export interface Sink<T> {
  /** Writes bytes. Resolves when the sink is ready for more bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Completes the file. Called after the last byte. */
  close(): Promise<T>;
  /** Removes the partial file after a failure or a cancellation. */
  abort(reason: unknown): Promise<void>;
}

export interface Saved<T, R> {
  readonly bytes: number;
  /** The value that the sink's `close` returned. */
  readonly file: T;
  /** The return value of the function that wrote the file. */
  readonly produced: R;
}

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Opens a sink and closes it when `fill` has written a file to it. If anything fails, no partial
 * file is left behind.
 *
 * @param fill writes to a stream and closes it
 * @throws CrispenError `ABORTED`, `WRITE_FAILED` if the sink fails, and any error that `fill`
 *   throws
 */
export async function save<T, R>(
  open: () => Promise<Sink<T>>,
  fill: (to: WritableStream<Bytes>) => Promise<R>,
): Promise<Saved<T, R>> {
  const sink = await orWriteFailed(open);
  let bytes = 0;
  const files: T[] = [];
  const stream = new WritableStream<Bytes>({
    async write(part) {
      await orWriteFailed(() => sink.write(part));
      bytes += part.length;
    },
    async close() {
      files.push(await orWriteFailed(() => sink.close()));
    },
  });
  try {
    const produced = await fill(stream);
    if (files.length === 0) throw internal('a file was not closed');
    return { bytes, file: files[0], produced };
  } catch (error) {
    // A failed sink can fail again when it is aborted. Only the first error is reported.
    await sink.abort(error).catch(() => {});
    throw error;
  }
}

/**
 * Saves a PNG. `produce` writes the rows strip by strip and waits for each write.
 * @throws CrispenError like `save`, and any error that `produce` throws
 */
export async function savePng<T, R>(
  header: PngHeader,
  open: () => Promise<Sink<T>>,
  produce: (write: (rows: Rows) => Promise<void>) => Promise<R>,
  signal?: AbortSignal,
): Promise<Saved<T, R>> {
  throwIfAborted(signal);
  return save(open, async (to) => {
    const writer = pngWriter(header, to).getWriter();
    const stop = () =>
      writer.abort(new CrispenError('ABORTED', 'Writing the file was cancelled.')).catch(() => {}); // `produce` or `close` reports the reason
    signal?.addEventListener('abort', stop);
    try {
      const produced = await produce((rows) => writer.write(rows));
      throwIfAborted(signal);
      await writer.close();
      return produced;
    } catch (error) {
      await writer.abort(error).catch(() => {});
      throwIfAborted(signal);
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  });
}

const HINTS: Readonly<Record<string, string>> = {
  QuotaExceededError: 'The disk, or the share of it that this site may use, is full.',
  ENOSPC: 'The disk is full.',
  EDQUOT: 'Your share of the disk is full.',
  EFBIG: 'Files may not be as large there.',
  EPIPE: 'The program that reads it has ended.',
  NotAllowedError: 'Allow this page to write to the file, and try again.',
  NoModificationAllowedError: 'Another program or tab is writing to the file.',
  NotFoundError: 'The file or its folder is gone: choose another place.',
  EACCES: 'Choose a place that you may write to.',
  EPERM: 'Choose a place that you may write to.',
  EROFS: 'The disk may only be read: choose another place.',
};

async function orWriteFailed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw writeFailed(cause);
  }
}

/**
 * Converts a sink's error to a `CrispenError` with the code `WRITE_FAILED`. A `CrispenError` is
 * returned unchanged.
 */
export function writeFailed(cause: unknown): CrispenError {
  if (cause instanceof CrispenError) return cause;
  const { name, code, message } = (cause ?? {}) as {
    name?: string;
    code?: unknown;
    message?: string;
  };
  const hint = HINTS[String(code)] ?? HINTS[String(name)] ?? 'Choose another place, and try again.';
  return new CrispenError('WRITE_FAILED', `The file could not be written: ${message ?? cause}`, {
    hint,
    cause,
  });
}
