import { describe, expect, it } from 'vitest';
import { choicesAt, choose, tasksOf } from './models.ts';

const models = [
  { id: 'a2n-x2', task: 'upscale', scale: 2, description: '' },
  { id: 'a2n-x3', task: 'upscale', scale: 3, description: '' },
  { id: 'a2n-photo-x2', task: 'upscale', scale: 2, description: '' },
  { id: 'new-x2', task: 'upscale', scale: 2, description: 'Small and quick.' },
  { id: 'a2n-jpeg-x1', task: 'dejpeg', scale: 1, description: '' },
] as const;

it('offers the tasks that there are models for', () => {
  expect(tasksOf(models)).toEqual(['upscale', 'dejpeg']);
  expect(tasksOf(models.slice(0, 2))).toEqual(['upscale']);
});

describe('choicesAt', () => {
  it('offers what exists at the scale, photos first, unknown kinds last', () => {
    expect(choicesAt(models, 2).map((choice) => choice.id)).toEqual([
      'a2n-photo-x2',
      'a2n-x2',
      'new-x2',
    ]);
    expect(choicesAt(models, 3).map((choice) => choice.id)).toEqual(['a2n-x3']);
  });

  it('describes a kind without words of its own by the manifest', () => {
    expect(choicesAt(models, 2)[2]).toMatchObject({ title: 'new-x2', text: 'Small and quick.' });
  });
});

describe('choose', () => {
  it('keeps the kind across scales where it can', () => {
    expect(choose(models, 'upscale', 2, 'a2n').id).toBe('a2n-x2');
    expect(choose(models, 'upscale', 3, 'a2n-photo').id).toBe('a2n-x3');
    expect(choose(models, 'upscale', 2, '').id).toBe('a2n-photo-x2');
  });

  it('takes the model of a task that restores, at any scale', () => {
    for (const scale of [1, 2, 5])
      expect(choose(models, 'dejpeg', scale, 'a2n').id).toBe('a2n-jpeg-x1');
    expect(() => choose(models, 'denoise', 1, '')).toThrow('no model for denoise');
    expect(choicesAt(models, 1)).toEqual([]);
  });

  it('refuses a scale without models', () => {
    expect(() => choose(models, 'upscale', 4, 'a2n')).toThrow('no model at 4x');
  });
});
