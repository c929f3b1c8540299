import { describe, expect, it } from 'vitest';
import { choicesAt, choose } from './models.ts';

const models = [
  { id: 'a2n-x2', scale: 2, description: '' },
  { id: 'a2n-x3', scale: 3, description: '' },
  { id: 'a2n-photo-x2', scale: 2, description: '' },
  { id: 'pan-x2', scale: 2, description: 'Small and quick.' },
] as const;

describe('choicesAt', () => {
  it('offers what exists at the scale, photos first, unknown kinds last', () => {
    expect(choicesAt(models, 2).map((choice) => choice.id)).toEqual([
      'a2n-photo-x2',
      'a2n-x2',
      'pan-x2',
    ]);
    expect(choicesAt(models, 3).map((choice) => choice.id)).toEqual(['a2n-x3']);
  });

  it('describes a kind without words of its own by the manifest', () => {
    expect(choicesAt(models, 2)[2]).toMatchObject({ title: 'pan-x2', text: 'Small and quick.' });
  });
});

describe('choose', () => {
  it('keeps the kind across scales where it can', () => {
    expect(choose(models, 2, 'a2n').id).toBe('a2n-x2');
    expect(choose(models, 3, 'a2n-photo').id).toBe('a2n-x3');
    expect(choose(models, 2, '').id).toBe('a2n-photo-x2');
  });

  it('refuses a scale without models', () => {
    expect(() => choose(models, 4, 'a2n')).toThrow('no model at 4x');
  });
});
