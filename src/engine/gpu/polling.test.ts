import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Polling } from './polling.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => vi.useRealTimers());

/**
 * Creates a fake device. Each call to `onSubmittedWorkDone` takes the next value of `latencies` and
 * resolves after that many milliseconds. Once all values are used, the last one is repeated.
 */
function fakeDevice(...latencies: number[]) {
  let asked = 0;
  const submit = vi.fn();
  const device = {
    createCommandEncoder: () => ({ finish: () => ({}) }),
    queue: {
      submit,
      onSubmittedWorkDone: () => {
        const latency = latencies[Math.min(asked++, latencies.length - 1)];
        return new Promise<void>((resolve) => setTimeout(resolve, latency));
      },
    },
  };
  return { device: device as unknown as GPUDevice, submit };
}

it('submits empty work while somebody waits for a queue that is polled, and no longer', async () => {
  const { device, submit } = fakeDevice(100);
  const polling = new Polling(device);
  await vi.advanceTimersByTimeAsync(300);
  expect(submit).not.toHaveBeenCalled();
  const done = polling.hasten(new Promise((resolve) => setTimeout(() => resolve('done'), 20)));
  await vi.advanceTimersByTimeAsync(20);
  expect(await done).toBe('done');
  const during = submit.mock.calls.length;
  expect(during).toBeGreaterThanOrEqual(15);
  await vi.advanceTimersByTimeAsync(100);
  expect(submit).toHaveBeenCalledTimes(during);
});

it('stops when what is waited for fails', async () => {
  const { device, submit } = fakeDevice(100);
  const polling = new Polling(device);
  await vi.advanceTimersByTimeAsync(300);
  await expect(polling.hasten(Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  await vi.advanceTimersByTimeAsync(100);
  expect(submit).not.toHaveBeenCalled();
});

it.each([[[1]], [[100, 100, 2]]])('leaves a queue alone that answers: %j ms', async (latencies) => {
  const { device, submit } = fakeDevice(...latencies);
  const polling = new Polling(device);
  await vi.advanceTimersByTimeAsync(400);
  const done = polling.hasten(new Promise((resolve) => setTimeout(resolve, 20)));
  await vi.advanceTimersByTimeAsync(30);
  await done;
  expect(submit).not.toHaveBeenCalled();
});
