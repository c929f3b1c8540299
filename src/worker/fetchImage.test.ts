import { afterEach, expect, it, vi } from 'vitest';
import { fetchImage } from './fetchImage.ts';

afterEach(() => void vi.unstubAllGlobals());

const MIB = 2 ** 20;

/**
 * Stubs `fetch` to return a response that begins with `start`. The response's length is `bytes`,
 * rounded up to a multiple of `MIB`. The returned function tells how many bytes have been read so
 * far.
 */
function answer(start: string, bytes: number): () => number {
  let read = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (read >= bytes) return controller.close();
      const part = new Uint8Array(MIB);
      if (read === 0) part.set(new TextEncoder().encode(start));
      read += part.length;
      controller.enqueue(part);
    },
  });
  vi.stubGlobal('fetch', async () => new Response(body));
  return () => read;
}

const fetched = () => fetchImage('https://example.invalid/a.png', new AbortController().signal);

it('a page is refused by its first bytes', async () => {
  const read = answer('<!doctype html><title>Not found</title>'.padEnd(1024), 8 * MIB);
  await expect(fetched()).rejects.toMatchObject({ code: 'DECODE_FAILED' });
  expect(read()).toBeLessThan(4 * MIB);
});

it('more bytes than an image of its kind has are IMAGE_TOO_LARGE', async () => {
  answer('\x01\x02\x03\x04', 16 * MIB);
  expect((await fetched()).size).toBe(16 * MIB);
  answer('\x01\x02\x03\x04', 24 * MIB);
  await expect(fetched()).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
});
