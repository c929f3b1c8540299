/** Measures how long jobs take on the CPU backend in Node, and compares this with the estimates. */

import { estimateMilliseconds, measureSpeed } from '../src/cpu/estimate.ts';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale } from '../src/cpu/upscale.ts';
import type { Size } from '../src/geometry.ts';
import { chooseModel } from '../src/node/model.ts';
import { openCrew } from '../src/node/threads.ts';

export interface Estimated extends Size {
  readonly model: string;
  readonly threads: number;
  readonly estimated: number;
  readonly actual: number;
}

/** Measures each model at each size with each number of threads. Passes each row to `onRow`. */
export async function measureEstimates(
  models: readonly string[],
  sizes: readonly Size[],
  threads: readonly number[],
  onRow: (row: Estimated) => void,
): Promise<Estimated[]> {
  const rows: Estimated[] = [];
  for (const count of threads) {
    const crew = openCrew(count);
    for (const id of models) {
      const { network, weights } = await chooseModel({ model: id });
      const model = await CpuModel.load(network, weights, { crew });
      for (const { width, height } of sizes) {
        const speed = await measureSpeed(crew);
        const estimated = await estimateMilliseconds(network, width, height, speed);
        const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
          i % 4 === 3 ? 255 : 128 + 100 * Math.sin(i),
        );
        const { report } = await upscale(model, { width, height, data });
        const row = { model: id, width, height, threads: count };
        rows.push({ ...row, estimated, actual: report.milliseconds });
        onRow(rows[rows.length - 1]);
      }
    }
    crew.close();
  }
  return rows;
}

export function formatEstimated({ model, width, height, ...row }: Estimated): string {
  const { threads, estimated, actual } = row;
  return [
    model.padEnd(18),
    `${width}x${height}`.padStart(9),
    String(threads).padStart(3),
    estimated.toFixed(0).padStart(8),
    actual.toFixed(0).padStart(8),
    (actual / estimated).toFixed(2).padStart(7),
  ].join('');
}
