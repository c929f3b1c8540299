import { describe, expect, it } from 'vitest';
import {
  choicesAt,
  choicesFor,
  choose,
  madeTitle,
  tasksOf,
  thumbnailOf,
  titleOf,
} from './models.ts';

const none = { kind: null, best: false, fast: false } as const;
const models = [
  { id: 'a2n-x2', task: 'upscale', scale: 2, description: '', ...none, kind: 'clean' },
  {
    id: 'pan-x2',
    task: 'upscale',
    scale: 2,
    description: '',
    kind: 'clean',
    best: true,
    fast: true,
  },
  { id: 'a2n-x3', task: 'upscale', scale: 3, description: '', ...none, kind: 'clean', best: true },
  { id: 'pan-x3', task: 'upscale', scale: 3, description: '', ...none, kind: 'clean', fast: true },
  {
    id: 'pan-photo-x2',
    task: 'upscale',
    scale: 2,
    description: '',
    ...none,
    kind: 'photo',
    fast: true,
  },
  {
    id: 'a2n-photo-x2',
    task: 'upscale',
    scale: 2,
    description: '',
    ...none,
    kind: 'photo',
    best: true,
  },
  { id: 'new-x2', task: 'upscale', scale: 2, description: 'Small and quick.', ...none },
  { id: 'a2n-jpeg-x1', task: 'dejpeg', scale: 1, description: '', ...none },
] as const;

it('offers the tasks that there are models for', () => {
  expect(tasksOf(models)).toEqual(['upscale', 'dejpeg']);
  expect(tasksOf(models.slice(0, 2))).toEqual(['upscale']);
});

describe('choicesAt', () => {
  it('offers what exists at the scale, photos first, unknown kinds last', () => {
    expect(choicesAt(models, 2).map((choice) => choice.id)).toEqual([
      'auto',
      'a2n-photo-x2',
      'pan-photo-x2',
      'pan-x2',
      'a2n-x2',
      'new-x2',
    ]);
    expect(choicesAt(models, 3).map(({ id, title }) => [id, title])).toEqual([
      ['a2n-photo-x2', 'Photo'],
      ['a2n-x3', 'Clean'],
      ['pan-x3', 'Clean (fast)'],
      ['new-x2', 'new-x2'],
    ]);
  });

  it('offers what serves a factor between or beyond the scales', () => {
    const photo4 = { ...models[5], id: 'a2n-photo-x4', scale: 4 } as const;
    const ids = (factor: number) => choicesAt([...models, photo4], factor).map(({ id }) => id);
    expect(ids(2.7)).toEqual(['a2n-photo-x4', 'a2n-x3', 'pan-x3', 'new-x2']);
    expect(ids(8)).toEqual(['a2n-photo-x4', 'a2n-x3', 'new-x2']);
    // For factors that a family's smaller model reaches, the smaller model is offered.
    expect(ids(2)).not.toContain('a2n-photo-x4');
  });

  it('describes a kind without words of its own by the manifest', () => {
    expect(choicesAt(models, 2)[5]).toMatchObject({ title: 'new-x2', text: 'Small and quick.' });
  });
});

it('offers all models of a restoration, the default first', () => {
  const denoise = ['a2n-denoise-x1', 'acla-denoise-x1', 'new-x1'].map(
    (id) => ({ id, task: 'denoise', scale: 1, description: 'Calm.', ...none }) as const,
  );
  const all = [...models, ...denoise];
  expect(choicesFor(all, 'denoise', 2.7).map(({ id, title }) => [id, title])).toEqual([
    ['a2n-denoise-x1', 'Noise (A2N)'],
    ['acla-denoise-x1', 'Noise (ACLA)'],
    ['new-x1', 'new-x1'],
  ]);
  expect(choicesFor(all, 'dejpeg', 2).map(({ id }) => id)).toEqual(['a2n-jpeg-x1']);
  expect(choose(all, 'denoise', 1, 'acla-denoise').id).toBe('acla-denoise-x1');
  expect(choose(all, 'denoise', 1, 'photo').id).toBe('a2n-denoise-x1');
});

it('calls results by what made them, not by how that was chosen', () => {
  const settings = { model: choose(models, 'upscale', 2, 'photo-auto') };
  const title = (speed: 'best' | 'fast') =>
    madeTitle({ settings, diagnostics: { auto: { speed, bestMs: null, others: [] } } });
  expect(title('best')).toBe('Photo');
  expect(title('fast')).toBe('Photo (fast)');
  const clean = { model: choose(models, 'upscale', 2, 'clean') };
  expect(madeTitle({ settings: clean, diagnostics: {} })).toBe('Clean');
});

it('calls models by their cards', () => {
  expect(titleOf(models, 'a2n-photo-x2')).toBe('Photo');
  expect(titleOf(models, 'pan-x3')).toBe('Clean (fast)');
  expect(titleOf(models, 'own-1')).toBe('own-1');
});

it('every card has a picture, restorations too', () => {
  const drawings = ['clean', 'clean-fast', 'lcoan', 'acla', 'asid', 'a2nm', 'a2n'];
  const photos = [
    'photo-auto',
    'photo',
    'photo-fast',
    'a2n-photo',
    'a2n-denoise',
    'acla-denoise',
    'a2n-jpeg',
    'new',
  ];
  for (const kind of drawings)
    expect([kind, thumbnailOf(kind)]).toEqual([kind, './samples/drawing.svg']);
  for (const kind of photos) expect([kind, thumbnailOf(kind)]).toEqual([kind, './samples/cat.jpg']);
});

describe('choose', () => {
  it('keeps the kind across scales where it can', () => {
    expect(choose(models, 'upscale', 2, 'a2n').id).toBe('a2n-x2');
    expect(choose(models, 'upscale', 3, 'photo').id).toBe('a2n-photo-x2');
    expect(choose(models, 'upscale', 3, 'clean-fast').id).toBe('pan-x3');
    expect(choose(models, 'upscale', 2, 'clean-fast').id).toBe('pan-x2');
    expect(choose(models, 'upscale', 2, 'photo-fast').id).toBe('pan-photo-x2');
    expect(choose(models, 'upscale', 2, 'photo').id).toBe('a2n-photo-x2');
    expect(choose(models, 'upscale', 2, '')).toMatchObject({ id: 'auto', kind: 'photo-auto' });
    // Without a fast photo model, there is no choice.
    expect(choose(models, 'upscale', 3, 'photo-auto').id).toBe('a2n-photo-x2');
  });

  it('takes the model of a task that restores, at any scale', () => {
    for (const scale of [1, 2, 5])
      expect(choose(models, 'dejpeg', scale, 'a2n').id).toBe('a2n-jpeg-x1');
    expect(() => choose(models, 'denoise', 1, '')).toThrow('no model for denoise');
  });

  it('refuses a manifest without models', () => {
    expect(() => choose([], 'upscale', 4, 'a2n')).toThrow('no model for upscale');
  });
});
