import { describe, expect, it } from 'vitest';
import {
  fitScale,
  fitView,
  keepInside,
  pinchView,
  scaleRange,
  visibleSpan,
  wheelScale,
  zoomAround,
} from './zoom.ts';

const stage = { width: 1000, height: 800 };

describe('fitScale', () => {
  it('shrinks a large picture to the tighter side', () => {
    expect(fitScale({ width: 4000, height: 1000 }, stage, 1)).toBe(0.25);
    expect(fitScale({ width: 1000, height: 1600 }, stage, 2)).toBe(0.5);
  });

  it('enlarges a small picture, by more than four device pixels only to fill half of the stage', () => {
    expect(fitScale({ width: 600, height: 400 }, stage, 1)).toBeCloseTo(1000 / 600);
    expect(fitScale({ width: 150, height: 110 }, stage, 1)).toBe(4);
    expect(fitScale({ width: 150, height: 110 }, stage, 2)).toBe(3.5);
    expect(fitScale({ width: 10, height: 10 }, stage, 1)).toBe(40);
    expect(fitScale({ width: 2, height: 2 }, stage, 1)).toBe(200);
    expect(fitScale({ width: 2, height: 40 }, stage, 2)).toBe(10);
  });

  it('settles on whole device pixels where that costs little room', () => {
    expect(fitScale({ width: 930, height: 500 }, stage, 1)).toBe(1);
    expect(fitScale({ width: 960, height: 500 }, stage, 2)).toBe(1);
    expect(fitScale({ width: 800, height: 500 }, stage, 1)).toBe(1.25);
  });
});

describe('keepInside', () => {
  const picture = { width: 500, height: 500 };

  it('centres what fits', () => {
    expect(fitView({ width: 950, height: 400 }, stage, 1)).toEqual({ scale: 1, x: 25, y: 200 });
    expect(keepInside({ scale: 1, x: -99, y: 7 }, picture, stage)).toEqual({
      scale: 1,
      x: 250,
      y: 150,
    });
  });

  it('leaves no gap beside what does not', () => {
    expect(keepInside({ scale: 4, x: 50, y: -5000 }, picture, stage)).toEqual({
      scale: 4,
      x: 0,
      y: -1200,
    });
    expect(keepInside({ scale: 4, x: -300, y: -200 }, picture, stage)).toEqual({
      scale: 4,
      x: -300,
      y: -200,
    });
  });
});

describe('zoomAround', () => {
  it('holds the picture under the pointer', () => {
    const view = { scale: 0.7, x: -31, y: 12 };
    const at = { x: 333, y: 222 };
    const next = zoomAround(view, 2.9, at);
    expect((at.x - next.x) / next.scale).toBeCloseTo((at.x - view.x) / view.scale, 10);
    expect((at.y - next.y) / next.scale).toBeCloseTo((at.y - view.y) / view.scale, 10);
  });
});

describe('wheelScale', () => {
  it('is undone by the opposite turn and independent of the unit', () => {
    expect(wheelScale(wheelScale(1, 100, 0, false), -100, 0, false)).toBeCloseTo(1, 12);
    expect(wheelScale(1, 3, 1, false)).toBeCloseTo(wheelScale(1, 99, 0, false), 12);
  });

  it('enlarges upwards and takes no leap at a hard turn', () => {
    expect(wheelScale(1, -100, 0, false)).toBeGreaterThan(1.1);
    expect(wheelScale(1, -9000, 0, false)).toBeLessThan(1.4);
  });
});

describe('pinchView', () => {
  const range = [0.1, 16] as const;
  const view = { scale: 1, x: 10, y: 20 };

  it('keeps both fingers on their places in the picture', () => {
    const before = [
      { x: 100, y: 100 },
      { x: 200, y: 100 },
    ] as const;
    const after = [
      { x: 50, y: 300 },
      { x: 350, y: 300 },
    ] as const;
    const next = pinchView(view, before, after, range);
    expect(next.scale).toBeCloseTo(3);
    for (const i of [0, 1] as const) {
      const u = (before[i].x - view.x) / view.scale;
      expect(next.x + u * next.scale).toBeCloseTo(after[i].x);
    }
  });

  it('stays in range and survives fingers on one spot', () => {
    const spot = { x: 5, y: 5 };
    expect(pinchView(view, [spot, spot], [spot, { x: 900, y: 5 }], range).scale).toBe(16);
    expect(pinchView(view, [spot, { x: 900, y: 5 }], [spot, spot], range).scale).toBe(0.1);
  });
});

describe('scaleRange', () => {
  it('reaches from the whole picture, or its pixels, to sixteen device pixels or the fit', () => {
    expect(scaleRange({ width: 4000, height: 1000 }, stage, 2)).toEqual([0.25, 8]);
    expect(scaleRange({ width: 30, height: 30 }, stage, 1)).toEqual([1, 16]);
    expect(scaleRange({ width: 10, height: 10 }, stage, 1)).toEqual([1, 40]);
  });
});

describe('visibleSpan', () => {
  it('is cut at the stage', () => {
    expect(visibleSpan(-50, 2000, 1000)).toEqual([0, 1000]);
    expect(visibleSpan(200, 300, 1000)).toEqual([200, 500]);
  });
});
