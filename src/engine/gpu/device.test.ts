import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { reportAdapter } from './adapter.ts';
import { Device } from './device.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => {});
const adapter = {
  info: { isFallbackAdapter: true } as GPUAdapterInfo,
  features: new Set<string>(),
  limits: { maxComputeWorkgroupStorageSize: 16384 },
};

/**
 * Returns a function that returns the promise's error code, or null if the promise has not been
 * rejected.
 */
function failure(promise: Promise<unknown>): () => string | null {
  let code: string | null = null;
  promise.catch((error) => {
    code = error.code;
  });
  return () => code;
}

it('gives a device up that does not end its work', async () => {
  const destroy = vi.fn();
  const queue = { onSubmittedWorkDone: never };
  const gpu = { lost: never(), destroy, queue } as unknown as GPUDevice;
  const code = failure(new Device(gpu, reportAdapter(adapter)).idle());
  await vi.advanceTimersByTimeAsync(59_000);
  expect(code()).toBeNull();
  await vi.advanceTimersByTimeAsync(2000);
  expect(code()).toBe('DEVICE_LOST');
  expect(destroy).toHaveBeenCalledTimes(1);
});

it.each([
  ['an adapter', { requestAdapter: never }],
  ['a device', { requestAdapter: async () => ({ ...adapter, requestDevice: never }) }],
])('%s that never comes is NO_WEBGPU', async (_, gpu) => {
  const code = failure(Device.open(gpu as unknown as GPU));
  await vi.advanceTimersByTimeAsync(59_000);
  expect(code()).toBeNull();
  await vi.advanceTimersByTimeAsync(2000);
  expect(code()).toBe('NO_WEBGPU');
});
