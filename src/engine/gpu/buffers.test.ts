import { expect, it } from 'vitest';
import { CrispenError } from '../../errors.ts';
import { Buffers, withBuffers } from './buffers.ts';
import type { Device } from './device.ts';

/**
 * Creates a fake device that refuses buffers of more than 100 bytes. Like WebGPU, it reports the
 * error only at the end of the error scope.
 */
function device(log: string[]): Device {
  let refused = false;
  const fake = {
    buffer(label: string, size: number) {
      refused ||= size > 100;
      return { label, size, destroy: () => log.push(`free ${label}`) };
    },
    async scoped<T>(what: string, work: () => T): Promise<T> {
      const made = work();
      if (refused) throw new CrispenError('OUT_OF_MEMORY', what);
      return made;
    },
  };
  return fake as unknown as Device;
}

it('frees the whole set when one of its buffers is refused', async () => {
  const log: string[] = [];
  const buffers = new Buffers(device(log));
  await buffers.allocate('maps', (make) => make('map', 60, 0));
  expect(buffers.bytes).toBe(60);
  const more = buffers.allocate('staging', (make) => [make('a', 8, 0), make('b', 101, 0)]);
  await expect(more).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', message: 'staging' });
  expect(log).toEqual(['free map', 'free a', 'free b']);
  expect(buffers.bytes).toBe(0);
});

it.each(['well', 'badly'])('frees lent buffers once the GPU is at rest: %s', async (how) => {
  const log: string[] = [];
  const pace = { drain: async () => void log.push('at rest') };
  const work = withBuffers(
    device(log),
    async (buffers) => {
      await buffers.allocate('maps', (make) => make('map', 60, 0));
      if (how === 'badly') throw new Error('no');
      return 7;
    },
    pace,
  );
  if (how === 'badly') await expect(work).rejects.toThrow('no');
  else expect(await work).toBe(7);
  expect(log).toEqual(['at rest', 'free map']);
});

it('leaves a buffer alone that somebody else owns by now', async () => {
  const log: string[] = [];
  const kept = await withBuffers(device(log), async (buffers) => {
    const [map] = await buffers.allocate('maps', (make) => [
      make('map', 60, 0),
      make('scratch', 8, 0),
    ]);
    return buffers.release(map);
  });
  expect(kept.label).toBe('map');
  expect(log).toEqual(['free scratch']);
});
