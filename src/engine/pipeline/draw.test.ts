import { expect, it } from 'vitest';
import { CrispenError } from '../../errors.ts';
import type { Device } from '../gpu/device.ts';
import { makeSurface } from './draw.ts';

it('leaves no texture behind where its kernel does not compile', async () => {
  const living = new Set<object>();
  const createTexture = () => {
    const texture = { destroy: () => void living.delete(texture) };
    living.add(texture);
    return texture;
  };
  const refused = new CrispenError('INTERNAL', 'refused');
  const device = {
    gpu: { createTexture },
    scoped: async (_: string, work: () => unknown) => work(),
    compileShader: () => Promise.reject(refused),
  };
  const size = { width: 8, height: 4 };
  await expect(makeSurface(device as unknown as Device, size, 2)).rejects.toBe(refused);
  expect(living.size).toBe(0);
});
