/** Fits straight lines to measurements and draws them. */

export type Point = readonly [x: number, y: number];

export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** The coefficient of determination. */
  readonly r2: number;
}

/** Computes the least-squares line. */
export function fitLine(points: readonly Point[]): Line {
  const mean = (pick: 0 | 1) => points.reduce((sum, p) => sum + p[pick], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const sum = (f: (x: number, y: number) => number) =>
    points.reduce((all, [x, y]) => all + f(x - mx, y - my), 0);
  const slope = sum((x, y) => x * y) / sum((x) => x * x);
  const residual = sum((x, y) => (y - slope * x) ** 2);
  return { slope, intercept: my - slope * mx, r2: 1 - residual / sum((_, y) => y * y) };
}

export interface Curve {
  readonly label: string;
  readonly points: readonly Point[];
}

/** These colours are readable on both light and dark pages. */
const COLOURS = ['#2f81f7', '#d2691e', '#8a63d2', '#2da44e'];
const GREY = '#8b949e';
const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [720, 400, 64, 36, 24, 48];

/** Draws curves over a common x axis as an SVG. Both axes start at zero. */
export function curvesSvg(title: string, xLabel: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [xs, ys] = [
    axis(Math.max(...all.map(([x]) => x))),
    axis(Math.max(...all.map(([, y]) => y))),
  ];
  const px = (x: number) =>
    (LEFT + (x / (xs.at(-1) as number)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (y: number) =>
    (HEIGHT - BOTTOM - (y / (ys.at(-1) as number)) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const text = (
    x: number | string,
    y: number | string,
    anchor: string,
    content: string,
    colour = GREY,
  ) => `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}">${content}</text>`;
  const rule = (x1: string, y1: string, x2: string, y2: string) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${GREY}" stroke-opacity="0.3"/>`;
  const lines = [
    ...ys.flatMap((y) => [
      rule(px(0), py(y), px(xs.at(-1) as number), py(y)),
      text(LEFT - 8, Number(py(y)) + 4, 'end', y.toLocaleString('en')),
    ]),
    ...xs.map((x) => text(px(x), HEIGHT - BOTTOM + 18, 'middle', x.toLocaleString('en'))),
    text(LEFT, 20, 'start', title),
    text(WIDTH - RIGHT, HEIGHT - 8, 'end', xLabel),
    ...curves.flatMap(({ label, points }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const [x, y] = points[points.length - 1];
      return [
        `<polyline points="${points.map(([x, y]) => `${px(x)},${py(y)}`).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...points.map(([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="3.5" fill="${colour}"/>`),
        text(Number(px(x)) - 8, Number(py(y)) - 8, 'end', label, colour),
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">
  <title>${title}</title>
${lines.map((line) => `  ${line}`).join('\n')}
</svg>
`;
}

/**
 * Returns ticks from zero to at least `most`, in four to eight steps of 1, 2 or 5 times a power of
 * ten.
 */
function axis(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((by) => by * power).find((by) => most / by <= 8) as number;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}
