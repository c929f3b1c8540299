import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Watchdog, within } from './watchdog.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => {});

function hanging(options: { isHidden?: () => boolean } = {}) {
  const hung: string[] = [];
  return { hung, watchdog: new Watchdog(options, (what) => hung.push(what)) };
}

it('waits a minute and no longer', () => {
  const { hung, watchdog } = hanging();
  void watchdog.watch('mapping', never());
  vi.advanceTimersByTime(59_000);
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(hung).toEqual(['mapping']);
  vi.advanceTimersByTime(1e7);
  expect(hung).toHaveLength(1);
});

it('starts anew with each sign of life', async () => {
  const { hung, watchdog } = hanging();
  void watchdog.watch('mapping', never());
  for (let i = 0; i < 10; i++) {
    vi.advanceTimersByTime(50_000);
    await watchdog.watch('work', Promise.resolve());
  }
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(hung).toEqual(['mapping']);
});

it('gives large work more time', () => {
  const { hung, watchdog } = hanging();
  void watchdog.watch('work', never(), 60_000 * 1e5);
  vi.advanceTimersByTime(119_000);
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(hung).toEqual(['work']);
});

it('gives each kernel that compiles as long again', async () => {
  const { hung, watchdog } = hanging();
  let compiled = () => {};
  void watchdog.watch('compiling', never(), 0, true);
  void watchdog.watch('compiling', new Promise<void>((done) => (compiled = done)), 0, true);
  vi.advanceTimersByTime(179_000);
  expect(hung).toEqual([]);
  compiled();
  await vi.advanceTimersByTimeAsync(0);
  vi.advanceTimersByTime(119_000);
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(hung).toEqual(['compiling']);
});

it('is patient while the page is hidden, and starts anew behind', () => {
  let hidden = true;
  const { hung, watchdog } = hanging({ isHidden: () => hidden });
  void watchdog.watch('work', never());
  vi.advanceTimersByTime(599_000);
  expect(hung).toEqual([]);
  hidden = false;
  vi.advanceTimersByTime(59_000);
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(2000);
  expect(hung).toEqual(['work']);
});

it('takes the sleep of a machine for one tick', () => {
  const { hung, watchdog } = hanging();
  void watchdog.watch('work', never());
  vi.advanceTimersByTime(30_000);
  // Timers do not fire while a machine sleeps, but the time of day advances.
  vi.setSystemTime(Date.now() + 8 * 3_600_000);
  vi.advanceTimersByTime(29_000);
  expect(hung).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(hung).toEqual(['work']);
});

it('leaves no timer behind', async () => {
  const { watchdog } = hanging();
  await watchdog.watch('work', Promise.resolve());
  await expect(watchdog.watch('work', Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
});

it('clears up what comes too late', async () => {
  const late: number[] = [];
  let arrive!: (value: number) => void;
  const promise = new Promise<number>((resolve) => {
    arrive = resolve;
  });
  const waiting = within({}, promise, (value) => late.push(value));
  const refused = expect(waiting).rejects.toThrow('no answer');
  vi.advanceTimersByTime(60_000);
  await refused;
  arrive(7);
  await vi.runAllTimersAsync();
  expect(late).toEqual([7]);
});
