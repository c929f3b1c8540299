import { describe, expect, it } from 'vitest';
import { type Sink, save } from '../codecs/sink.ts';
import type { UpscaleTarget } from './protocol.ts';
import { blobSink, openTarget, type SpillPlace } from './sinks.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const bytes = (length: number, seed = 1): Bytes =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 57) % 251);

/** Writes parts through `save`. If a part is an error, throws it instead of writing it. */
function write<T>(open: () => Promise<Sink<T>>, parts: readonly (Bytes | Error)[]) {
  return save(open, async (to) => {
    const writer = to.getWriter();
    try {
      for (const part of parts) {
        if (part instanceof Error) throw part;
        await writer.write(part);
      }
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
      throw error;
    }
  });
}

/**
 * Creates a fake file that behaves like a file in the File System API: its content changes only
 * when the stream that writes to it is closed.
 */
function fakeFile(content: Bytes = bytes(0), room = Number.POSITIVE_INFINITY) {
  const file = { content, open: 0 };
  const handle = {
    kind: 'file',
    getFile: async () => new Blob([file.content]),
    createWritable: async () => {
      file.open++;
      const parts: Bytes[] = [];
      let size = 0;
      return new WritableStream<Bytes>({
        write(part) {
          size += part.length;
          if (size > room) {
            file.open--; // a stream that has failed is not aborted
            throw new DOMException('No space is left.', 'QuotaExceededError');
          }
          parts.push(part);
        },
        close() {
          file.content = Uint8Array.from(Buffer.concat(parts));
          file.open--;
        },
        abort: () => void file.open--,
      });
    },
  };
  return { file, handle, open: () => openTarget(handle as unknown as UpscaleTarget) };
}

describe('a file that somebody chose', () => {
  it('holds what was written', async () => {
    const { file, open } = fakeFile();
    expect(await write(open, [bytes(10), bytes(5, 2)])).toEqual({ bytes: 15, file: null });
    expect([...file.content]).toEqual([...bytes(10), ...bytes(5, 2)]);
  });

  it('keeps what it held before a failure', async () => {
    const { file, open } = fakeFile(bytes(3, 7));
    await expect(write(open, [bytes(10), new Error('stop')])).rejects.toThrow('stop');
    expect(file).toEqual({ open: 0, content: bytes(3, 7) });
  });

  it('says that the disk is full', async () => {
    const { file, open } = fakeFile(bytes(0), 12);
    await expect(write(open, [bytes(10), bytes(5)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('No space is left'),
      hint: expect.stringContaining('full'),
    });
    expect(file).toEqual({ open: 0, content: bytes(0) });
  });

  it('says that it may not be written', async () => {
    const { handle } = fakeFile();
    handle.createWritable = async () => {
      throw new DOMException('not allowed', 'NotAllowedError');
    };
    const open = () => openTarget(handle as unknown as UpscaleTarget);
    await expect(write(open, [bytes(1)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      hint: expect.stringContaining('Allow'),
    });
  });
});

describe('a stream', () => {
  it('gets the bytes and is closed, or aborted', async () => {
    const log: string[] = [];
    const stream = () =>
      new WritableStream<Uint8Array>({
        write: (part) => void log.push(`${part.length} bytes`),
        close: () => void log.push('closed'),
        abort: (reason) => void log.push(`aborted: ${(reason as Error).message}`),
      });
    await write(() => openTarget(stream()), [bytes(3), bytes(4)]);
    const failing = write(() => openTarget(stream()), [bytes(3), new Error('stop')]);
    await expect(failing).rejects.toThrow('stop');
    expect(log).toEqual(['3 bytes', '4 bytes', 'closed', '3 bytes', 'aborted: stop']);
  });

  it('that fails is WRITE_FAILED', async () => {
    const broken = new WritableStream<Uint8Array>({
      write() {
        throw new Error('the line is dead');
      },
    });
    await expect(write(() => openTarget(broken), [bytes(3)])).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('the line is dead'),
    });
  });
});

/** Creates an in-memory folder with synchronous access handles. */
function fakeFolder(room = Number.POSITIVE_INFINITY) {
  const files = new Map<string, Bytes>();
  const open = new Set<string>();
  const folder: SpillPlace['folder'] = {
    async getFileHandle(name) {
      files.set(name, bytes(0));
      return {
        getFile: async () => new Blob([files.get(name)!]),
        async createSyncAccessHandle() {
          open.add(name);
          return {
            write(part, { at }) {
              const old = files.get(name)!;
              const length = Math.min(part.length, room - at);
              const next = new Uint8Array(Math.max(old.length, at + length));
              next.set(old);
              next.set(part.subarray(0, length), at);
              files.set(name, next);
              return length;
            },
            truncate() {},
            flush() {},
            close: () => void open.delete(name),
          };
        },
      };
    },
    async removeEntry(name) {
      files.delete(name);
    },
  };
  return { files, open, spill: async () => ({ folder, name: 'a.part' }) };
}

describe('a Blob', () => {
  const parts = [bytes(40), bytes(70, 2), bytes(30, 3), bytes(90, 4)];
  const whole = Buffer.concat(parts);

  it('that is small stays in memory', async () => {
    const { files, spill } = fakeFolder();
    const { file, bytes: size } = await write(() => blobSink('image/png', spill), parts);
    expect([file.type, file.size, size, files.size]).toEqual(['image/png', 230, 230, 0]);
    expect(Buffer.from(await file.arrayBuffer()).equals(whole)).toBe(true);
  });

  it('lies in a file where streams cannot be iterated, as in Safari', async () => {
    const iterator = Object.getOwnPropertyDescriptor(
      ReadableStream.prototype,
      Symbol.asyncIterator,
    )!;
    Reflect.deleteProperty(ReadableStream.prototype, Symbol.asyncIterator);
    try {
      const { spill } = fakeFolder();
      const { file } = await write(() => blobSink('image/png', spill, 100), parts);
      expect(Buffer.from(await file.arrayBuffer()).equals(whole)).toBe(true);
    } finally {
      Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, iterator);
    }
  });

  it.each([30, 100, 120])('of more than %d bytes lies in a file', async (most) => {
    const { files, open, spill } = fakeFolder();
    const { file } = await write(() => blobSink('image/png', spill, most), parts);
    expect([file.type, file.size, open.size]).toEqual(['image/png', 230, 0]);
    expect(Buffer.from(await file.arrayBuffer()).equals(whole)).toBe(true);
    expect([...files.get('a.part')!]).toEqual([...whole]);
  });

  it('does without a file system where there is none', async () => {
    const none = [
      async () => null,
      async () => {
        throw new Error('no file system');
      },
    ];
    for (const spill of none) {
      const { file } = await write(() => blobSink('image/png', spill, 50), parts);
      expect(Buffer.from(await file.arrayBuffer()).equals(whole)).toBe(true);
    }
  });

  it.each([
    ['an abort', Number.POSITIVE_INFINITY, { message: 'stop' }],
    ['a full disk', 150, { code: 'WRITE_FAILED', hint: expect.stringContaining('full') }],
  ])('leaves no file behind after %s', async (_, room, error) => {
    const { files, open, spill } = fakeFolder(room);
    const work = write(() => blobSink('image/png', spill, 100), [...parts, new Error('stop')]);
    await expect(work).rejects.toMatchObject(error);
    expect([files.size, open.size]).toEqual([0, 0]);
  });
});
