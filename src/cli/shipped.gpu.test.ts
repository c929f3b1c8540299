/** Tests shipped models with the command `crispen`, on the GPU and on the CPU. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { difference, picture } from '../../test/pictures.ts';
import { upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../image/image.ts';
import { readImage, writeImage } from '../node/images.ts';
import { chooseModel } from '../node/model.ts';
import { upscaleCommand } from './upscale.ts';

const folder = mkdtempSync(join(tmpdir(), 'crispen-shipped-'));
const at = (name: string) => join(folder, name);

beforeAll(() => writeImage(at('in.png'), picture(16, 12)));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

describe.each(['a2nm-x2', 'a2nm-x4', 'lcoan-x2', 'acla-x2', 'acla-denoise-x1', 'asid-x2'])(
  '%s',
  (model) => {
    let wanted: Rgba8Image;
    beforeAll(async () => {
      const { network, weights } = await chooseModel({ model });
      wanted = (await upscaleOnCpu(network, weights, picture(16, 12))).image;
    });

    it.each(['gpu', 'cpu'] as const)('with --device %s', async (device) => {
      const print = vi.spyOn(console, 'log').mockImplementation(() => {});
      const task = model.includes('denoise') ? ['--task', 'denoise'] : [];
      const made = [at('in.png'), at('out.png'), '--model', model, ...task, '--overwrite'];
      expect(await upscaleCommand([...made, '--device', device, '--json'])).toBe(0);
      const backend = device === 'gpu' ? 'webgpu' : 'cpu';
      expect(JSON.parse(print.mock.calls[0][0])).toMatchObject({ backend, model, tiles: 1 });
      const { worst, share } = difference((await readImage(at('out.png'))) as Rgba8Image, wanted);
      expect(worst).toBeLessThanOrEqual(1);
      expect(share).toBeLessThanOrEqual(0.001);
    });
  },
);
