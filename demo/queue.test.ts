import { describe, expect, it } from 'vitest';
import { endWords, pageTitle, queueLeft, queueWords, tileWords } from './queue.ts';
import type { Item, Phase, Result } from './state.ts';

const working = { kind: 'working', stage: 'upscale' } as const;

/** Creates a picture of 10 x 10 pixels that is to be enlarged by 2. */
const item = (phase: Phase, change: Partial<Item> = {}): Item =>
  ({
    id: '1',
    picture: { file: new Blob(), name: 'a.png', size: { width: 10, height: 10 }, image: null },
    settings: { task: 'upscale', size: { scale: 2 } },
    phase,
    trouble: null,
    results: [],
    saved: [],
    result: null,
    ...change,
  }) as unknown as Item;

const done = item(
  { kind: 'done' },
  { result: { width: 20, height: 10, diagnostics: { milliseconds: 100 } } as Result },
);
const waiting = item({ kind: 'waiting' });

describe('queueLeft', () => {
  it('goes by the pixels of what is done', () => {
    expect(queueLeft({ items: [done, waiting, waiting] })).toBe(400);
    const half = item({ ...working, fraction: 0.5, remainingMs: null });
    expect(queueLeft({ items: [done, half, waiting] })).toBe(300);
    const known = item({ ...working, fraction: 0.5, remainingMs: 50 });
    expect(queueLeft({ items: [done, known, waiting] })).toBe(250);
  });

  it('is not known before anything is done', () => {
    expect(queueLeft({ items: [waiting] })).toBeNull();
  });
});

it('says what the queue amounts to', () => {
  const items = [
    done,
    waiting,
    item({ kind: 'failed' }),
    item({ kind: 'cancelled' }),
    item({ kind: 'confirm', warning: '', toFile: false }),
  ];
  expect(queueWords({ items, isPaused: false }, 'about 4 s left')).toBe(
    '1 of 5 done, 1 failed, 1 cancelled, 1 waiting for your answer, about 4 s left',
  );
  expect(queueWords({ items, isPaused: true }, '')).toMatch(/paused$/);
  expect(queueWords({ items: [done], isPaused: true }, '')).toBe('1 of 1 done');
});

it('says in the title how far the work is, and at the end what came of it', () => {
  const half = item({ ...working, fraction: 0.5, remainingMs: null });
  expect(pageTitle({ items: [half] }, 'Crispen')).toBe('50 %, a.png');
  expect(pageTitle({ items: [done, half, waiting] }, 'Crispen')).toBe('2 of 3, 50 %, a.png');
  expect(pageTitle({ items: [done] }, 'Crispen')).toBe('Crispen');
  const failed = item({ kind: 'failed' });
  expect(endWords({ items: [half] }, { items: [done] })).toBe('1 picture is done.');
  expect(endWords({ items: [half] }, { items: [done, done, failed] })).toBe(
    '2 pictures are done, 1 failed.',
  );
  expect(endWords({ items: [done] }, { items: [done] })).toBeNull();
  expect(endWords({ items: [half] }, { items: [item({ kind: 'cancelled' })] })).toBeNull();
});

it('says of a tile what became of its picture', () => {
  expect(tileWords(item({ ...working, fraction: 0.429, remainingMs: null }))).toBe('a.png, 42 %');
  const trouble = { message: 'This is text.', hint: '' };
  expect(tileWords(item({ kind: 'failed' }, { trouble }))).toBe('a.png, failed: This is text.');
});
