import { parseArgs } from 'node:util';
import type { Fusion } from '../engine/compile/fuse.ts';
import type { Measurement } from '../engine/tune/layers.ts';
import { type TuneResult, tune } from '../engine/tune/measure.ts';
import type { MethodChoice } from '../engine/tune/tuning.ts';
import type { Size } from '../geometry.ts';
import { openGpu } from '../node/driver.ts';
import { choice, positiveInteger, UsageError } from './command.ts';

export const TUNE_USAGE = `
npm run tune -- [options]

Measures the variants of the convolutions, and a small A2N at each fusion level, on this GPU, in f32
and, if the GPU has it, in f16. Every result is checked against the plain reference before it is timed,
of large maps some of the rows. The clock is timestamp queries, if the GPU has them. Prints the winners as a line for FAMILIES in
src/engine/tune/tuning.ts.

  --sizes WxH,...    LR sizes in pixels (default 64x64)
  --repeats N        timings per variant, of which the median counts (default 5)
  --fusions NAMES    fusion levels to compare: none,ops,blocks (default all). blocks is measured with
                     tiles of 8 and 16 rows, which software adapters compile for half a minute
  --json             one JSON object per line: each measurement as it is made, and at the end
                     {adapter, clock, measurements, family, best}
  --help             this text
`;

/**
 * Runs the command `tune`. The exit code is 1 if any kernel variant returned a wrong result or no
 * result.
 */
export async function tuneCommand(args: string[], signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '64x64' },
      repeats: { type: 'string', default: '5' },
      fusions: { type: 'string', default: 'none,ops,blocks' },
      json: { type: 'boolean', default: false },
    },
  });
  const levels: readonly Fusion[] = ['none', 'ops', 'blocks'];
  const result = await tune(await openGpu(), {
    sizes: values.sizes.split(',').map(parseSize),
    repeats: positiveInteger('--repeats', values.repeats),
    fusions: values.fusions.split(',').map((name) => choice('--fusions', name, levels)),
    signal,
    onMeasurement: (measurement) => {
      console.log(values.json ? JSON.stringify(measurement) : measurementLine(measurement));
    },
  });
  console.log(values.json ? JSON.stringify(result) : verdict(result));
  return result.measurements.every(({ error }) => error === null) ? 0 : 1;
}

/** Parses a size such as 64x64. @throws UsageError */
function parseSize(text: string): Size {
  const [, width, height] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (!width || !height) throw new UsageError(`--sizes takes sizes such as 64x64, not "${text}".`);
  return {
    width: positiveInteger('--sizes', width),
    height: positiveInteger('--sizes', height),
  };
}

const methodsText = ({ fuse, conv, tileColumns }: MethodChoice) =>
  `fuse: '${fuse}', conv: '${conv}', tileColumns: ${tileColumns}`;

function measurementLine(measurement: Measurement): string {
  const { kernel, variant, element, width, height, milliseconds, compileMs } = measurement;
  const { difference } = measurement;
  const time =
    milliseconds === null
      ? (measurement.error ?? '')
      : `${milliseconds.toFixed(2).padStart(10)} ms   compiled in ${compileMs.toFixed(0)} ms`;
  const off = difference === null ? '' : `   differs by ${difference.toExponential(1)}`;
  const size = `${width}x${height}`;
  return `${kernel.padEnd(20)} ${element} ${size.padEnd(10)} ${variant.padEnd(8)} ${time}${off}`;
}

function verdict({ adapter, clock, family, best }: TuneResult): string {
  const { vendor, architecture, description } = adapter;
  const name = [vendor, architecture, description].filter(Boolean).join(', ');
  const pattern = (architecture || vendor || 'unknown').replace(/[^\w-]/g, '.');
  const half = best.half ? `, half: { ${methodsText(best.half)} }` : '';
  return [
    '',
    `${name || 'unnamed adapter'}, timed by ${clock}; so far of the family "${family}"`,
    `  { family: '${architecture || vendor}', matches: /${pattern}/i, ${methodsText(best)}${half} },`,
  ].join('\n');
}
