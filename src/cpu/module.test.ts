import { setFlagsFromString } from 'node:v8';
import { afterEach, expect, it, vi } from 'vitest';
import { PROBES } from './generated/probes.ts';
import { MODULE as relaxed } from './generated/relaxed.ts';
import { MODULE as simd } from './generated/simd.ts';
import { compileModule, supportedVariant } from './module.ts';
import { assembledModules } from './wat/assemble.ts';

afterEach(() => vi.restoreAllMocks());

it('is what its source assembles to', async () => {
  const written = { modules: { simd, relaxed }, probes: PROBES };
  expect(await assembledModules(), 'run npm run cpu:module').toEqual(written);
});

it('takes the fastest variant that the runtime knows', () => {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  expect(supportedVariant()).toBe('relaxed');
  const { validate } = WebAssembly;
  let calls = 0;
  vi.spyOn(WebAssembly, 'validate').mockImplementation((bytes) => ++calls > 1 && validate(bytes));
  expect(supportedVariant()).toBe('simd');
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  expect(supportedVariant()).toBeNull();
});

it('says what is missing without SIMD and under a policy that forbids WebAssembly', async () => {
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  await expect(compileModule()).rejects.toMatchObject({
    code: 'NO_WASM',
    message: expect.stringContaining('SIMD'),
  });
  vi.restoreAllMocks();
  vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError('refused'));
  await expect(compileModule('simd')).rejects.toMatchObject({
    code: 'NO_WASM',
    hint: expect.stringContaining('wasm-unsafe-eval'),
  });
});
