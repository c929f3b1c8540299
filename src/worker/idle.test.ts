import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IdleTask } from './idle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const job = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

it('runs once, a second after the first job', async () => {
  const task = vi.fn(async () => {});
  const idle = new IdleTask(task);
  await vi.advanceTimersByTimeAsync(5000);
  expect(task).not.toHaveBeenCalled();
  void idle.during(job(100));
  await vi.advanceTimersByTimeAsync(1050);
  expect(task).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(100);
  expect(task).toHaveBeenCalledTimes(1);
  void idle.during(job(100));
  await vi.advanceTimersByTimeAsync(5000);
  expect(task).toHaveBeenCalledTimes(1);
});

it('waits while jobs follow each other, and is cancelled by one and tried again', async () => {
  const signals: AbortSignal[] = [];
  const task = (signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<void>((resolve, reject) => {
      const done = setTimeout(resolve, 2000);
      signal.addEventListener('abort', () => {
        clearTimeout(done);
        reject(new Error('aborted'));
      });
    });
  };
  const idle = new IdleTask(task);
  void idle.during(job(100));
  void idle.during(job(3000));
  await vi.advanceTimersByTimeAsync(3900);
  expect(signals).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(signals).toHaveLength(1);
  void idle.during(job(10));
  expect(signals[0].aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(3500);
  expect(signals).toHaveLength(2);
  expect(signals[1].aborted).toBe(false);
  void idle.during(job(10));
  await vi.advanceTimersByTimeAsync(5000);
  expect(signals).toHaveLength(2);
});

it('waits for a job that ends well, and does not repeat what failed', async () => {
  const task = vi.fn(async () => {
    throw new Error('refused');
  });
  const idle = new IdleTask(task);
  const failing = idle.during(() => Promise.reject(new Error('no image')));
  await expect(failing).rejects.toThrow('no image');
  await vi.advanceTimersByTimeAsync(3000);
  expect(task).not.toHaveBeenCalled();
  for (let i = 0; i < 2; i++) {
    await idle.during(async () => {});
    await vi.advanceTimersByTimeAsync(3000);
  }
  expect(task).toHaveBeenCalledTimes(1);
});
