/** Times each step of a network on a GPU. */

import type { Fusion } from '../src/engine/compile/fuse.ts';
import { Engine } from '../src/engine/engine.ts';
import type { SizedDispatch } from '../src/engine/gpu/arena.ts';
import type { Device } from '../src/engine/gpu/device.ts';
import { makeJob, wholeImage } from '../src/engine/tile/strips.ts';
import { timePass } from '../src/engine/tune/layers.ts';
import { type ConvMethod, familyOf, tuningOf } from '../src/engine/tune/tuning.ts';
import type { Size } from '../src/geometry.ts';
import { sizeMultiple } from '../src/graph/analysis.ts';
import { type ElementType, GROUP_ROW_WORD, PARAM_WORDS } from '../src/kernels/kernel.ts';
import { countLoads } from '../src/kernels/loads.ts';
import type { Network } from '../src/networks/network.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import type { Ceiling } from './ceiling.ts';
import { median } from './measure.ts';
import { planCost } from './plan.ts';

export interface ProfileTask {
  readonly name: string;
  readonly network: Network;
  readonly weights: TensorMap;
  /** The size of the LR image. */
  readonly size: Size;
  readonly precision: ElementType;
  /** The number of times that each step runs. The median time is used. */
  readonly repeats: number;
  /** The fusion level; default: the level for the adapter's family. */
  readonly fuse?: Fusion | undefined;
  readonly conv?: ConvMethod | undefined;
}

const SPACES = ['storage', 'uniform', 'workgroup'] as const;
type Space = (typeof SPACES)[number];

/** The sum over all steps that run one kernel. */
export interface KernelTime {
  readonly kernel: string;
  readonly steps: number;
  /** The total milliseconds that these steps take. */
  readonly milliseconds: number;
  readonly multiplyAdds: number;
  /** The bytes in the maps and weights that the steps read and write, counted once per step. */
  readonly bytes: number;
  /**
   * The number of four-value vectors that the loops load per multiply-add, for each kind of memory.
   */
  readonly loads: Readonly<Record<Space, number>>;
  /** Shares of the ceilings, from 0 to 1; null if there is no ceiling. */
  readonly multiplyAddShare: number | null;
  readonly bandwidthShare: number;
}

export interface Profile {
  readonly model: string;
  readonly size: Size;
  readonly precision: ElementType;
  readonly fuse: Fusion;
  readonly conv: ConvMethod;
  readonly adapter: string;
  /** The clock: `timestamps` on the GPU, or `wall` time from submission to completion. */
  readonly clock: 'timestamps' | 'wall';
  readonly ceiling: Ceiling;
  /**
   * The number of dispatches in each of the network's blocks. A step's name begins with its block.
   */
  readonly blocks: Readonly<Record<string, number>>;
  /** The kernels, starting with the longest time. */
  readonly kernels: readonly KernelTime[];
}

/** One step with its time. */
export interface StepTime {
  readonly kernel: string;
  readonly milliseconds: number;
  readonly multiplyAdds: number;
  readonly bytes: number;
  /** The total number of vectors that the step's loops load, for each kind of memory. */
  readonly loaded: Readonly<Record<Space, number>>;
}

/** Counts the loads in the kernel's source, and scales them to a step's multiply-adds. */
function loadedBy(code: string, multiplyAdds: number): StepTime['loaded'] {
  const { multiplyAdds: counted, ...loads } = countLoads(code);
  const scale = counted > 0 ? multiplyAdds / counted : 0;
  return scaled(loads, scale);
}

const scaled = (loads: StepTime['loaded'], by: number): StepTime['loaded'] => ({
  storage: loads.storage * by,
  uniform: loads.uniform * by,
  workgroup: loads.workgroup * by,
});

/** @throws CrispenError `NO_WEBGPU`, `OUT_OF_MEMORY`, `INVALID_INPUT` for f16 on a device without it */
export async function profile(gpu: GPU, task: ProfileTask, ceiling: Ceiling): Promise<Profile> {
  const { network, weights, precision, repeats } = task;
  let chosen = { fuse: 'ops' as Fusion, conv: 'plain' as ConvMethod };
  const engine = await Engine.create({
    gpu,
    tuning: (adapter) => {
      const { half, ...own } = familyOf(adapter);
      const { fuse, conv, tileColumns } = precision === 'f16' ? (half ?? own) : own;
      chosen = { fuse: task.fuse ?? fuse, conv: task.conv ?? conv };
      const methods = { ...chosen, tileColumns };
      return tuningOf({ ...methods, half: methods }, adapter);
    },
  });
  try {
    const model = await engine.loadModel(network, weights, { precision, fuse: chosen.fuse });
    return await engine.run(async ({ device, pace }): Promise<Profile> => {
      const size = wholeImage(task.size, sizeMultiple(network.graph)).tiles[0].source;
      const whole = { x: 0, y: 0, width: size.width, height: size.height };
      const job = await makeJob(device, model, size, false);
      try {
        const { program } = model;
        const { source } = program.image as NonNullable<typeof program.image>;
        const pixels = size.width * size.height;
        job.arena.write(
          source,
          Uint32Array.from({ length: pixels }, (_, i) => i * 2654435761),
        );
        const dispatches = job.arena.sized({ image: size, core: whole, source: whole });
        // The first run executes all steps in order, so all maps contain the network's values
        // afterwards.
        await job.arena.run(dispatches, { pace: pace.withTarget(() => 50) });
        await device.idle();
        const times: StepTime[] = [];
        for (const [i, dispatch] of dispatches.entries()) {
          if (dispatch.grid.includes(0)) continue;
          const cost = planCost(
            { ...program, steps: [program.steps[i]] },
            size,
            (key) => model.spans.get(key)?.size ?? 0,
          );
          const multiplyAdds = cost.multiplyAddsPerPixel * pixels;
          times.push({
            kernel: dispatch.kernel.label,
            loaded: loadedBy(dispatch.kernel.code, multiplyAdds),
            milliseconds: await timeStep(device, dispatch, job.arena.uniforms, repeats),
            multiplyAdds,
            bytes: cost.bytesPerPixel * pixels,
          });
        }
        const { vendor, architecture, description } = device.adapter;
        return {
          model: task.name,
          size: task.size,
          precision,
          ...chosen,
          adapter: [vendor, architecture, description].filter(Boolean).join(' '),
          clock: device.gpu.features.has('timestamp-query') ? 'timestamps' : 'wall',
          ceiling,
          blocks: dispatchesOf(program.steps),
          kernels: byKernel(times, ceiling, precision),
        };
      } finally {
        job.buffers.destroy();
      }
    });
  } finally {
    engine.destroy();
  }
}

/**
 * Counts steps by the first part of their names if it ends with a digit, as in `block0.LB1.gelu`.
 */
export function dispatchesOf(steps: readonly { readonly name: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name } of steps) {
    const [, block] = /^(\w*\d)\./.exec(name) ?? [];
    if (block !== undefined) counts[block] = (counts[block] ?? 0) + 1;
  }
  return counts;
}

async function timeStep(
  device: Device,
  { kernel, pipeline, bindGroup, grid, params }: SizedDispatch,
  uniforms: GPUBuffer,
  repeats: number,
): Promise<number> {
  const words = Uint32Array.from(params.slice(0, PARAM_WORDS));
  // The step runs in one piece, which begins at the first row of workgroups.
  if (grid[1] > 1) words[GROUP_ROW_WORD] = 0;
  device.gpu.queue.writeBuffer(uniforms, 0, words);
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    times.push(
      await timePass(device, (pass) => {
        pass.setPipeline(pipeline.pipeline);
        pass.setBindGroup(0, bindGroup, [0]);
        pass.dispatchWorkgroups(...grid);
        pass.end();
      }),
    );
  }
  device.throwIfLost();
  if (times.some((ms) => !(ms >= 0))) throw new Error(`${kernel.label} was not timed`);
  return median(times);
}

/** For each kernel, sums the times of all its steps. The kernel with the longest time is first. */
export function byKernel(
  times: readonly StepTime[],
  ceiling: Ceiling,
  precision: ElementType,
): KernelTime[] {
  const sums = new Map<string, StepTime & { steps: number }>();
  for (const { kernel, milliseconds, multiplyAdds, bytes, loaded } of times) {
    const sum = sums.get(kernel);
    sums.set(kernel, {
      kernel,
      steps: (sum?.steps ?? 0) + 1,
      milliseconds: (sum?.milliseconds ?? 0) + milliseconds,
      multiplyAdds: (sum?.multiplyAdds ?? 0) + multiplyAdds,
      bytes: (sum?.bytes ?? 0) + bytes,
      loaded: {
        storage: (sum?.loaded.storage ?? 0) + loaded.storage,
        uniform: (sum?.loaded.uniform ?? 0) + loaded.uniform,
        workgroup: (sum?.loaded.workgroup ?? 0) + loaded.workgroup,
      },
    });
  }
  const peak = ceiling.multiplyAdds[precision];
  return [...sums.values()]
    .map(({ loaded, ...sum }) => ({
      ...sum,
      loads: scaled(loaded, sum.multiplyAdds > 0 ? 1 / sum.multiplyAdds : 0),
      multiplyAddShare: peak === null ? null : (sum.multiplyAdds * 1000) / sum.milliseconds / peak,
      bandwidthShare: (sum.bytes * 1000) / sum.milliseconds / ceiling.bandwidth,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

/** Lists blocks with their counts. Neighbouring blocks with the same count are combined. */
function listOf(blocks: Profile['blocks']): string {
  const runs: { first: string; last: string; count: number }[] = [];
  for (const [name, count] of Object.entries(blocks)) {
    const run = runs.at(-1);
    if (run?.count === count) run.last = name;
    else runs.push({ first: name, last: name, count });
  }
  return runs
    .map(({ first, last, count }) =>
      first === last ? `; ${count} in ${first}` : `; ${count} in each of ${first} to ${last}`,
    )
    .join('');
}

/** Formats a profile as a table with a totals line. */
export function formatProfile({ kernels, size, ceiling, blocks, ...run }: Profile): string {
  const total = (pick: (kernel: KernelTime) => number) =>
    kernels.reduce((sum, kernel) => sum + pick(kernel), 0);
  const all = byKernel(
    [
      {
        kernel: 'all',
        milliseconds: total(({ milliseconds }) => milliseconds),
        multiplyAdds: total(({ multiplyAdds }) => multiplyAdds),
        bytes: total(({ bytes }) => bytes),
        loaded: {
          storage: total(({ loads, multiplyAdds }) => loads.storage * multiplyAdds),
          uniform: total(({ loads, multiplyAdds }) => loads.uniform * multiplyAdds),
          workgroup: total(({ loads, multiplyAdds }) => loads.workgroup * multiplyAdds),
        },
      },
    ],
    ceiling,
    run.precision,
  ).map((sum) => ({ ...sum, steps: total(({ steps }) => steps) }));
  const percent = (share: number | null) =>
    share === null ? '-' : `${(share * 100).toPrecision(3)} %`;
  const rows = [...kernels, ...all].map((row) => [
    row.kernel,
    String(row.steps),
    row.milliseconds.toFixed(3),
    percent(row.milliseconds / all[0].milliseconds),
    (row.multiplyAdds / row.milliseconds / 1e6).toFixed(1),
    percent(row.multiplyAddShare),
    (row.bytes / row.milliseconds / 1e6).toFixed(1),
    percent(row.bandwidthShare),
    ...SPACES.map((space) => (row.loads[space] * 1000).toFixed(1)),
  ]);
  const head = [
    'kernel',
    'steps',
    'ms',
    'of time',
    'Gmadd/s',
    'of peak',
    'GB/s',
    'of copy',
    ...SPACES,
  ];
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [
    `${run.model} at ${size.width} x ${size.height} in ${run.precision}, fused to ${run.fuse}, convolutions ${run.conv}, on ${run.adapter}, timed by ${run.clock}`,
    `dispatches: ${all[0].steps} in all${listOf(blocks)}`,
    'storage, uniform, workgroup: vectors of four loaded from there per 1000 multiply-adds, by counts on the source',
    line(head),
    ...rows.map(line),
  ].join('\n');
}
