import { describe, expect, it } from 'vitest';
import { hole, innerRadii, ownSize, type Radii } from './layout.ts';

const SHARP: Radii = [
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
];
const round = (r: number): Radii => [
  [r, r],
  [r, r],
  [r, r],
  [r, r],
];

describe('the corners of a box within another', () => {
  const outer = { width: 100, height: 50 };
  it.each([
    ['a border of its own width', round(10), { x: 3, y: 3, width: 94, height: 44 }, round(7)],
    ['a border as wide as the radius', round(10), { x: 10, y: 10, width: 80, height: 30 }, SHARP],
    ['no border', round(10), { x: 0, y: 0, ...outer }, round(10)],
    ['radii that overlap', round(999), { x: 0, y: 0, ...outer }, round(25)],
  ] as const)('%s', (_, radii, inner, wanted) => {
    expect(innerRadii(radii, outer, inner)).toEqual(wanted);
  });
  it('are none where nothing is laid out', () => {
    const nothing = { x: 0, y: 0, width: 0, height: 0 };
    expect(innerRadii(SHARP, nothing, nothing)).toEqual(SHARP);
  });
});

/**
 * Returns whether a point is inside the hole that `path` cuts out. The edge of the hole consists of
 * straight lines and circular arcs.
 */
function isOut(path: string, x: number, y: number): boolean {
  const points: [number, number][] = [];
  const inner = path.slice(path.indexOf('Z') + 1);
  for (const [, kind, numbers] of inner.matchAll(/([MLA])([^MLAZ]*)/g)) {
    const values = numbers.split(/[ ,]/).map(Number);
    const end = values.slice(-2) as [number, number];
    if (kind === 'A' && values[0] > 0) {
      const [from, [r]] = [points.at(-1)!, values];
      // The centre of a clockwise arc is to the right of its chord.
      const turn = values[4] === 1 ? 1 : -1;
      const [dx, dy] = [end[0] - from[0], end[1] - from[1]];
      const half = Math.hypot(dx, dy) / 2;
      const off = (turn * Math.sqrt(Math.max(0, r * r - half * half))) / (2 * half || 1);
      const centre = [(from[0] + end[0]) / 2 - dy * off, (from[1] + end[1]) / 2 + dx * off];
      const [a, b] = [from, end].map(([u, v]) => Math.atan2(v - centre[1], u - centre[0]));
      const sweep = turn * ((turn * (b - a) + 4 * Math.PI) % (2 * Math.PI));
      for (let i = 1; i < 32; i++) {
        const angle = a + (sweep * i) / 32;
        points.push([centre[0] + r * Math.cos(angle), centre[1] + r * Math.sin(angle)]);
      }
    }
    points.push(end);
  }
  let inside = false;
  points.forEach(([x1, y1], i) => {
    const [x2, y2] = points[(i + 1) % points.length];
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
  });
  return inside;
}

describe('the hole that the result shows through', () => {
  const box = { x: 10, y: 20, width: 100, height: 60 };
  it.each([0, 0.02, 0.1, 0.5, 0.9, 0.98, 1])(
    'is what is right of %d in rounded corners',
    (split) => {
      const r = 16;
      const path = hole(box, round(r), split);
      for (let y = 15.5; y < 85; y += 1.7) {
        for (let x = 5.5; x < 115; x += 1.7) {
          // Of all points inside the box that are at least `r` from its edges, (cx, cy) is the
          // nearest to (x, y).
          const cx = Math.max(box.x + r, Math.min(box.x + box.width - r, x));
          const cy = Math.max(box.y + r, Math.min(box.y + box.height - r, y));
          const distance = Math.hypot(x - cx, y - cy) - r;
          const edge = x - (box.x + split * box.width);
          if (Math.abs(distance) < 0.3 || Math.abs(edge) < 0.3) continue;
          expect([split, x, y, isOut(path, x, y)]).toEqual([split, x, y, distance < 0 && edge > 0]);
        }
      }
    },
  );

  it.each([0, 0.1, 0.5, 0.9, 1])('is what is below %d, with corners of any radius', (split) => {
    const radii = [
      [24, 24],
      [0, 0],
      [12, 12],
      [5, 5],
    ] as const;
    const path = hole(box, radii, split, true);
    const corners = [
      [box.x, box.y, 1, 1],
      [box.x + box.width, box.y, -1, 1],
      [box.x + box.width, box.y + box.height, -1, -1],
      [box.x, box.y + box.height, 1, -1],
    ] as const;
    for (let y = 15.5; y < 85; y += 1.7) {
      for (let x = 5.5; x < 115; x += 1.7) {
        const isInBox = x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height;
        const cut = corners.map(([cx, cy, across, down], i) => {
          const [rx, ry] = radii[i];
          const [dx, dy] = [rx - (x - cx) * across, ry - (y - cy) * down];
          return rx > 0 && dx > 0 && dy > 0 ? (dx / rx) ** 2 + (dy / ry) ** 2 : 0;
        });
        const edge = y - (box.y + split * box.height);
        if (cut.some((value) => Math.abs(value - 1) < 0.08) || Math.abs(edge) < 0.3) continue;
        const isHole = isInBox && cut.every((value) => value < 1) && edge > 0;
        expect([split, x, y, isOut(path, x, y)]).toEqual([split, x, y, isHole]);
      }
    }
  });
});

describe('a picture shown at its own size', () => {
  const [natural, content] = [
    { width: 40, height: 20 },
    { width: 100, height: 100 },
  ];
  it.each([
    ['none', '50% 50%', { x: 30, y: 40 }],
    ['none', '0px 100%', { x: 0, y: 80 }],
    ['none', 'calc(100% - 8px) 5px', { x: 52, y: 5 }],
    ['scale-down', '50% 50%', { x: 30, y: 40 }],
  ])('%s at %s', (fit, position, place) => {
    expect(ownSize(natural, content, fit, position)).toEqual({ ...natural, ...place });
  });
  it('is none that fits its box', () => {
    expect(ownSize({ width: 200, height: 20 }, content, 'scale-down', '50% 50%')).toBeNull();
    for (const fit of ['fill', 'contain', 'cover']) {
      expect(ownSize(natural, content, fit, '50% 50%')).toBeNull();
    }
  });
});
