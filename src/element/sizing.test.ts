import { describe, expect, it } from 'vitest';
import { chooseScale, type Sizing } from './sizing.ts';

const base: Sizing = {
  width: 100,
  height: 50,
  density: 1,
  shownWidth: 200,
  shownHeight: 100,
  ratio: 1,
  fit: 'fill',
  scale: 2,
  maxPixels: 1e7,
  restores: false,
  forced: false,
};
const choose = (change: Partial<Sizing>) => chooseScale({ ...base, ...change });

describe('the scale that a layout is worth', () => {
  it.each<[string, Partial<Sizing>, ReturnType<typeof chooseScale>]>([
    ['shown at twice its size', {}, { scale: 2 }],
    ['shown at its size', { shownWidth: 100, shownHeight: 50 }, { skip: 'unneeded' }],
    [
      'shown at its size on a fine screen',
      { shownWidth: 100, shownHeight: 50, ratio: 2 },
      { scale: 2 },
    ],
    ['shown hardly larger', { shownWidth: 104, shownHeight: 52 }, { skip: 'unneeded' }],
    ['not shown', { shownWidth: 0, shownHeight: 0 }, { skip: 'unneeded' }],
    ['not shown but wanted', { shownWidth: 0, shownHeight: 0, forced: true }, { scale: 2 }],
    ['of a scale given', { scale: 4 }, { scale: 4 }],
    ['auto at 2', { scale: 'auto' }, { scale: 2 }],
    ['auto a trifle above 2', { scale: 'auto', shownWidth: 204 }, { scale: 2 }],
    ['auto at 2.5', { scale: 'auto', shownWidth: 250, shownHeight: 125 }, { scale: 3 }],
    ['auto beyond 4', { scale: 'auto', shownWidth: 900, shownHeight: 450 }, { scale: 4 }],
    ['auto, limited', { scale: 'auto', shownWidth: 900, maxPixels: 45_000 }, { scale: 3 }],
    ['restored', { restores: true, scale: 1 }, { scale: 1 }],
    ['restored and enlarged', { restores: true }, { scale: 2 }],
    [
      'restored, shown at its size',
      { restores: true, shownWidth: 100, shownHeight: 50 },
      { scale: 1 },
    ],
    [
      'restored, auto, shown at its size but wanted',
      { restores: true, scale: 'auto', shownWidth: 100, shownHeight: 50, forced: true },
      { scale: 1 },
    ],
    ['restored, auto at 2', { restores: true, scale: 'auto' }, { scale: 2 }],
    [
      'restored, not shown',
      { restores: true, shownWidth: 0, shownHeight: 0 },
      { skip: 'unneeded' },
    ],
    ['restored, too large', { restores: true, scale: 1, maxPixels: 4999 }, { skip: 'too-large' }],
    ['too large', { maxPixels: 19_999 }, { skip: 'too-large' }],
    ['auto, too large', { scale: 'auto', maxPixels: 19_999 }, { skip: 'too-large' }],
    ['covering a tall box', { shownWidth: 50, shownHeight: 100, fit: 'cover' }, { scale: 2 }],
    [
      'contained in a tall box',
      { shownWidth: 50, shownHeight: 100, fit: 'contain' },
      { skip: 'unneeded' },
    ],
    ['at its own size in a large box', { fit: 'none' }, { skip: 'unneeded' }],
    ['at its own size, of few pixels', { fit: 'none', density: 0.5 }, { scale: 2 }],
    ['not enlarged by its layout', { fit: 'scale-down' }, { skip: 'unneeded' }],
    ['of a scale that is no number', { scale: Number.NaN }, { scale: Number.NaN }],
  ])('%s', (_, change, expected) => expect(choose(change)).toEqual(expected));
});
