import { expect, it } from 'vitest';
import { createNetwork, demosaicBilinear, detect, prepareNetwork, readWeights } from './public.ts';

const network = createNetwork('compact', { scale: 2, features: 4, blocks: 1 });
const wrongNumbers = [Number.NaN, 0, -1, 1e300, '2', null, {}, 2.5];

it.each<[string, () => unknown]>([
  ...wrongNumbers.flatMap((value): [string, () => unknown][] => [
    [`createNetwork at x${value}`, () => createNetwork('compact', { scale: value as number })],
    [
      `createNetwork of ${value} features`,
      () => createNetwork('esrgan', { scale: 2, features: value as number }),
    ],
    [`detect at x${value}`, () => detect(new Map(), { scale: value as number })],
    [
      `prepareNetwork for ${value} pixels`,
      () =>
        prepareNetwork({} as GPUDevice, network, new Map(), { width: value as number, height: 4 }),
    ],
    [`readWeights of ${value}`, () => readWeights(value as never)],
    [`demosaicBilinear of ${value}`, () => demosaicBilinear(value as never)],
  ]),
  ['createNetwork of nothing', () => createNetwork('compact', undefined as never)],
  ['detect in nothing', () => detect(undefined as never)],
  ['detect in an object', () => detect({} as never)],
  ['detect with null', () => detect(new Map(), null as never)],
  ['detect of a range of NaN', () => detect(new Map(), { inputRange: Number.NaN })],
  ['readWeights of an ArrayBuffer', () => readWeights(new ArrayBuffer(16) as never)],
  [
    'prepareNetwork without a height',
    () => prepareNetwork({} as GPUDevice, network, new Map(), { width: 4 } as never),
  ],
  [
    'prepareNetwork fused beyond measure',
    () =>
      prepareNetwork({} as GPUDevice, network, new Map(), {
        width: 4,
        height: 4,
        fuse: 'all' as never,
      }),
  ],
])('%s is INVALID_INPUT', async (_, call) => {
  await expect((async () => call())()).rejects.toMatchObject({
    name: 'CrispenError',
    code: 'INVALID_INPUT',
    hint: expect.stringMatching(/^Give/),
  });
});
