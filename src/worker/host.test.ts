import { expect, it, vi } from 'vitest';
import type { Engine, Model } from '../engine/engine.ts';
import { CrispenError } from '../errors.ts';
import { createNetwork } from '../networks/registry.ts';
import { EngineHost } from './host.ts';

const network = createNetwork('a2n', { scale: 2 });

/** The part of an engine that the host uses. The engine's own tests need a GPU. */
function fakeEngine() {
  let lose!: (reason: string) => void;
  const lost = new Promise<string>((resolve) => {
    lose = resolve;
  });
  const engine = {
    lost,
    prepare: vi.fn(async () => {}),
    loadModel: vi.fn(async () => ({}) as Model),
    destroy: vi.fn(() => lose('destroyed')),
  };
  return { engine: engine as unknown as Engine, calls: engine, lose };
}

function hostOf(fakes: ReturnType<typeof fakeEngine>[]) {
  const create = vi.fn(async () => fakes[create.mock.calls.length - 1].engine);
  return { host: new EngineHost(create), create };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

it('makes one engine and loads each model once', async () => {
  const fake = fakeEngine();
  const { host, create } = hostOf([fake]);
  expect(host.has('m')).toBe(false);
  const models = await Promise.all([1, 2].map(() => host.model('m', network, new Map())));
  expect(models[0]).toBe(models[1]);
  expect(host.has('m')).toBe(true);
  await host.use(async () => 0);
  expect(create).toHaveBeenCalledTimes(1);
  expect(fake.calls.loadModel).toHaveBeenCalledTimes(1);
});

it('starts anew after the device was lost between two images', async () => {
  const fakes = [fakeEngine(), fakeEngine()];
  const { host } = hostOf(fakes);
  await host.model('m', network, new Map());
  fakes[0].lose('driver reset');
  await settled();
  expect(host.has('m')).toBe(false);
  expect(await host.engine()).toBe(fakes[1].engine);
  expect(fakes[0].calls.destroy).toHaveBeenCalledTimes(1);
});

it('starts anew after a job that failed for the lost device, and only then', async () => {
  const fakes = [fakeEngine(), fakeEngine()];
  const { host, create } = hostOf(fakes);
  const fail = (code: 'DEVICE_LOST' | 'OUT_OF_MEMORY') =>
    host.use(() => Promise.reject(new CrispenError(code, 'failed')));
  await expect(fail('OUT_OF_MEMORY')).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  expect(await host.engine()).toBe(fakes[0].engine);
  await expect(fail('DEVICE_LOST')).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  expect(await host.engine()).toBe(fakes[1].engine);
  await settled();
  expect(fakes[0].calls.destroy).toHaveBeenCalledTimes(1);
  expect(create).toHaveBeenCalledTimes(2);
});

it('tries again after a failed start or a failed load', async () => {
  const fake = fakeEngine();
  const create = vi
    .fn<() => Promise<Engine>>()
    .mockRejectedValueOnce(new CrispenError('NO_WEBGPU', 'none'))
    .mockResolvedValue(fake.engine);
  const host = new EngineHost(create);
  await expect(host.engine()).rejects.toMatchObject({ code: 'NO_WEBGPU' });
  await settled();
  fake.calls.loadModel.mockRejectedValueOnce(new CrispenError('OUT_OF_MEMORY', 'full'));
  await expect(host.model('m', network, new Map())).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
  });
  await settled();
  expect(host.has('m')).toBe(false);
  await host.model('m', network, new Map());
  expect(host.has('m')).toBe(true);
});

it('compiles ahead on the engine that will load, and leaves errors to the loading', async () => {
  const fake = fakeEngine();
  const { host, create } = hostOf([fake]);
  fake.calls.prepare.mockRejectedValueOnce(new CrispenError('INTERNAL', 'no such kernel'));
  host.prepare(network, { precision: 'f16' });
  await settled();
  expect(fake.calls.prepare).toHaveBeenCalledExactlyOnceWith(network, { precision: 'f16' });
  await host.model('m', network, new Map());
  expect(create).toHaveBeenCalledTimes(1);
});
