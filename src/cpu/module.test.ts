import { setFlagsFromString } from 'node:v8';
import { afterEach, expect, it, vi } from 'vitest';
import { MODULES } from './module.generated.ts';
import { compileModule, supportedVariant, type VariantName } from './module.ts';
import { assembledModules } from './wat/assemble.ts';

afterEach(() => vi.restoreAllMocks());

it('is what its source assembles to', async () => {
  const assembled = Object.entries(await assembledModules());
  const old = assembled.filter(([name, hex]) => MODULES[name as VariantName] !== hex);
  expect(assembled).toHaveLength(2);
  expect(
    old.map(([name]) => name),
    'module.generated.ts is old: run npm run cpu:module',
  ).toEqual([]);
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
  vi.spyOn(WebAssembly, 'validate').mockReturnValueOnce(false).mockReturnValueOnce(false);
  await expect(compileModule()).rejects.toMatchObject({
    code: 'NO_WASM',
    message: expect.stringContaining('SIMD'),
  });
  vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError('refused'));
  await expect(compileModule('simd')).rejects.toMatchObject({
    code: 'NO_WASM',
    hint: expect.stringContaining('wasm-unsafe-eval'),
  });
});
