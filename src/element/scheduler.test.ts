import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scheduler } from './scheduler.ts';

interface Tool {
  key: string;
  closed: boolean;
}

const tools: Tool[] = [];
let scheduler: Scheduler<Tool>;
let ran: string[];

/** Adds a task that takes ten milliseconds. */
function task(name: string, rank: number | (() => number) = 0, signal?: AbortSignal, key = 'a') {
  return scheduler.add({
    key,
    rank: typeof rank === 'number' ? () => rank : rank,
    signal: signal ?? new AbortController().signal,
    run: async (tool) => {
      ran.push(`${name} by ${tool.key}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return name;
    },
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  tools.length = 0;
  ran = [];
  scheduler = new Scheduler<Tool>(
    async (key) => {
      const tool = { key, closed: false };
      tools.push(tool);
      return tool;
    },
    (tool) => {
      tool.closed = true;
    },
    () => 1000,
  );
});
afterEach(() => vi.useRealTimers());

describe('the queue of a page', () => {
  it('serves the most urgent first, one at a time, with one tool', async () => {
    const all = Promise.all([
      task('far', 2),
      task('near', 1),
      task('seen', 0),
      task('seen too', 0),
    ]);
    await vi.advanceTimersByTimeAsync(5);
    expect(ran).toEqual(['seen by a']);
    await vi.advanceTimersByTimeAsync(100);
    expect(await all).toEqual(['far', 'near', 'seen', 'seen too']);
    expect(ran).toEqual(['seen by a', 'seen too by a', 'near by a', 'far by a']);
    expect(tools).toHaveLength(1);
  });

  it('asks for the rank when the turn comes', async () => {
    let rank = 2;
    const all = [task('first'), task('second', 1), task('third', () => rank)];
    rank = 0;
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(all);
    expect(ran.map((line) => line.split(' ')[0])).toEqual(['first', 'third', 'second']);
  });

  it('ends what is cancelled at once, waiting or running, and goes on', async () => {
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = expect(task('running', 0, running.signal)).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const second = expect(task('waiting', 1, waiting.signal)).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const third = task('third', 2);
    await vi.advanceTimersByTimeAsync(1);
    running.abort();
    waiting.abort();
    await Promise.all([first, second]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await third).toBe('third');
    expect(ran.map((line) => line.split(' ')[0])).toEqual(['running', 'third']);
  });

  it('closes its tools when it has been idle, and makes them anew', async () => {
    const first = Promise.all([task('one'), task('two', 0, undefined, 'b')]);
    await vi.advanceTimersByTimeAsync(20);
    await first;
    await vi.advanceTimersByTimeAsync(900);
    const third = task('three');
    await vi.advanceTimersByTimeAsync(990);
    await third;
    expect(tools.map(({ closed }) => closed)).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1100);
    expect(tools.map(({ closed }) => closed)).toEqual([true, true]);
    const fourth = task('four');
    await vi.advanceTimersByTimeAsync(20);
    expect(await fourth).toBe('four');
    expect(tools).toHaveLength(3);
  });

  it('passes on that a tool cannot be made, and tries again for the next', async () => {
    let broken = true;
    scheduler = new Scheduler<Tool>(
      async (key) => {
        if (broken) throw new Error('no tool');
        return { key, closed: false };
      },
      () => {},
      () => 1000,
    );
    const first = expect(task('one')).rejects.toThrow('no tool');
    await vi.advanceTimersByTimeAsync(20);
    await first;
    broken = false;
    const second = task('two');
    await vi.advanceTimersByTimeAsync(20);
    expect(await second).toBe('two');
  });
});
