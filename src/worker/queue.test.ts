import { expect, it } from 'vitest';
import { JobQueue } from './queue.ts';

/** Creates a task that resolves when `finish` is called and rejects when it is cancelled. */
function task(log: string[], name: string) {
  let finish!: () => void;
  const run = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      log.push(`start ${name}`);
      finish = () => resolve(name);
      signal.addEventListener('abort', () => reject(new Error(`${name} stopped`)));
    });
  return { run, finish: () => finish() };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

it('runs one job at a time in the order of arrival', async () => {
  const [queue, log] = [new JobQueue(), [] as string[]];
  const [a, b] = [task(log, 'a'), task(log, 'b')];
  const results = [queue.run(1, a.run), queue.run(2, b.run)];
  await settled();
  expect(log).toEqual(['start a']);
  a.finish();
  expect(await results[0]).toBe('a');
  await settled();
  expect(log).toEqual(['start a', 'start b']);
  b.finish();
  expect(await results[1]).toBe('b');
});

it('goes on after a job that failed', async () => {
  const queue = new JobQueue();
  const failed = queue.run(1, () => Promise.reject(new Error('no')));
  const next = queue.run(2, async () => 'yes');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

it('ends a waiting job at once and never starts it', async () => {
  const [queue, log] = [new JobQueue(), [] as string[]];
  const [a, b, c] = [task(log, 'a'), task(log, 'b'), task(log, 'c')];
  const first = queue.run(1, a.run);
  const second = queue.run(2, b.run);
  const third = queue.run(3, c.run);
  queue.cancel(2);
  await expect(second).rejects.toMatchObject({ code: 'ABORTED' });
  await settled();
  a.finish();
  await first;
  await settled();
  expect(log).toEqual(['start a', 'start c']);
  c.finish();
  expect(await third).toBe('c');
});

it('tells a running job, which ends in its own way, and leaves others alone', async () => {
  const [queue, log] = [new JobQueue(), [] as string[]];
  const [a, b] = [task(log, 'a'), task(log, 'b')];
  const first = queue.run(1, a.run);
  const second = queue.run(2, b.run);
  await settled();
  queue.cancel(99);
  queue.cancel(1);
  await expect(first).rejects.toThrow('a stopped');
  await settled();
  b.finish();
  expect(await second).toBe('b');
  queue.cancel(2);
});
