import { abortable } from './abortable.ts';
import type { Ceiling } from './ceiling.ts';
import type { Contender, OnProgress, Row, Runner, Task } from './contender.ts';
import type { Stage } from './stage.ts';

/** Counts resources during a run. This is a `GpuGauge`, or a stub in a test. */
export interface Gauge {
  begin(owner: string): void;
  memory(owner: string): { readonly held: number; readonly peak: number };
  takeDispatches(): number;
}

export interface MeasureOptions {
  readonly repeats: number;
  readonly gauge: Gauge;
  readonly ceiling: Ceiling;
  /**
   * The contender whose output is correct by definition. The others' outputs are compared with it.
   */
  readonly reference: Contender;
  readonly now?: () => number;
  readonly onStage?: (stage: Stage) => void;
  /** Called between runs and during a first run, but not during timed runs. */
  readonly onProgress?: OnProgress;
  /** Receives the reference's output in the form of `Runner.output`. */
  readonly onReference?: (output: Float32Array) => void;
}

/** A rival whose first run takes longer than this runs only once more. */
export const PATIENCE_MS = 20_000;

/**
 * The largest difference between outputs that still allows a fair comparison of speed, in units of
 * 0..1. Different orders of summation account for 1e-5 in f32. Half an 8-bit level is 2e-3.
 */
const TOLERANCE = { f32: 1e-3, f16: 2e-2 } as const;

interface Entry {
  readonly contender: Contender;
  readonly runner: Runner;
  readonly first: Pick<Row, 'firstMs' | 'gpuBytes' | 'dispatches' | 'maxAbsDiff'>;
  readonly slow: boolean;
  readonly times: number[];
  error?: string;
}

/**
 * Runs every contender on one task. First, each contender runs once, and the outputs are compared.
 * Then all contenders run in turn, `repeats` times, so other work on the machine affects all of
 * them equally. If a contender fails, its row contains an error, and the others continue.
 * @throws the task signal's reason, as soon as the signal fires. The contenders are then closed.
 */
export async function measure(
  contenders: readonly Contender[],
  task: Task,
  options: MeasureOptions,
): Promise<Row[]> {
  const { repeats, gauge, reference, now = () => performance.now(), onStage } = options;
  const { signal, image, network } = task;
  const at = ({ engine, threads }: Contender) => {
    const { width, height } = image;
    return { engine, width, height, ...(threads !== undefined && { threads }) };
  };
  const steps = 1 + contenders.length * (1 + repeats);
  let step = 0;
  const progress: OnProgress = (done) => options.onProgress?.((step + done) / steps);
  const nextStep = () => {
    step++;
    progress(0);
  };
  progress(0);
  onStage?.({ what: 'reference', ...at(reference) });
  const wanted = await outputOf(reference, task, progress);
  nextStep();
  options.onReference?.(wanted);
  const failed = new Map<Contender, string>();
  const entries: Entry[] = [];
  for (const contender of contenders) {
    const { engine, precision } = contender;
    onStage?.({ what: 'first', ...at(contender) });
    gauge.begin(engine);
    let runner: Runner | null = null;
    try {
      const started = now();
      runner = await open(contender, task);
      gauge.takeDispatches();
      const opened = now();
      await abortable(runner.run(progress), signal);
      const ended = now();
      const first = {
        firstMs: ended - started,
        gpuBytes: gauge.memory(engine).peak,
        dispatches: gauge.takeDispatches(),
        maxAbsDiff: maxAbsDifference(await abortable(runner.output(), signal), wanted),
      };
      const entry: Entry = {
        contender,
        runner,
        first,
        times: [],
        slow: ended - opened > PATIENCE_MS,
      };
      // This form of comparison also rejects NaN.
      if (!(first.maxAbsDiff <= TOLERANCE[precision])) {
        entry.error = `The output is ${first.maxAbsDiff} away from ${reference.engine}.`;
      }
      entries.push(entry);
    } catch (error) {
      failed.set(contender, messageOf(error));
      await runner?.close().catch(() => {});
    }
    if (signal?.aborted) break;
    nextStep();
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const entry of entries) {
      if (signal?.aborted) break;
      if (entry.error !== undefined || (entry.slow && repeat > 0)) continue;
      const of = entry.slow ? 1 : repeats;
      onStage?.({ what: 'run', ...at(entry.contender), n: repeat + 1, of });
      try {
        const started = now();
        await abortable(entry.runner.run(), signal);
        entry.times.push(now() - started);
      } catch (error) {
        entry.error = messageOf(error);
      }
      nextStep();
    }
  }
  for (const { runner } of entries) await runner.close().catch(() => {});
  signal?.throwIfAborted();
  options.onProgress?.(1);
  return contenders.map((contender) => {
    const { engine, precision, threads } = contender;
    const entry = entries.find((one) => one.contender === contender);
    const medianMs = entry && entry.times.length > 0 ? median(entry.times) : null;
    const error = entry?.error ?? failed.get(contender);
    return {
      engine,
      precision,
      ...(threads !== undefined && { threads }),
      network: network.architecture,
      scale: network.scale,
      width: image.width,
      height: image.height,
      medianMs,
      ...(entry?.first ?? { firstMs: null, gpuBytes: null, dispatches: null, maxAbsDiff: null }),
      ...shares(entry, medianMs, options.ceiling, image.width * image.height),
      ...(error !== undefined && { error }),
    };
  });
}

async function outputOf(
  reference: Contender,
  task: Task,
  onProgress: OnProgress,
): Promise<Float32Array> {
  const runner = await open(reference, task);
  try {
    return await abortable(runner.output(onProgress), task.signal);
  } finally {
    await runner.close();
  }
}

/**
 * Opens a contender. If the signal fires meanwhile, the contender is closed as soon as it has
 * opened.
 */
async function open(contender: Contender, task: Task): Promise<Runner> {
  const opening = contender.open(task);
  try {
    return await abortable(opening, task.signal);
  } catch (error) {
    opening.then((runner) => runner.close()).catch(() => {});
    throw error;
  }
}

function shares(
  entry: Entry | undefined,
  medianMs: number | null,
  ceiling: Ceiling,
  pixels: number,
): Partial<Row> {
  const cost = entry?.runner.cost;
  if (!entry || !cost) return {};
  const { multiplyAddsPerPixel, bytesPerPixel } = cost;
  const { threads, precision } = entry.contender;
  const peak =
    threads === undefined
      ? ceiling.multiplyAdds[precision]
      : ceiling.core === undefined
        ? null
        : ceiling.core * threads;
  const pixelsPerSecond = medianMs === null ? null : pixels / (medianMs / 1000);
  const perSecond = (perPixel: number | undefined) =>
    pixelsPerSecond === null || perPixel === undefined ? null : pixelsPerSecond * perPixel;
  const [multiplyAdds, bytes] = [perSecond(multiplyAddsPerPixel), perSecond(bytesPerPixel)];
  return {
    ...(multiplyAddsPerPixel !== undefined && { multiplyAddsPerPixel }),
    ...(bytesPerPixel !== undefined && { bytesPerPixel }),
    ...(multiplyAdds !== null && {
      ...(threads !== undefined && { gflopsPerThread: (2 * multiplyAdds) / threads / 1e9 }),
      ...(peak !== null && { multiplyAddShare: multiplyAdds / peak }),
    }),
    ...(bytes !== null && { bandwidthShare: bytes / ceiling.bandwidth }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Returns the largest difference: NaN if any value is NaN, or Infinity if the outputs' sizes
 * differ.
 */
export function maxAbsDifference(actual: Float32Array, wanted: Float32Array): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - wanted[i]));
  }
  return worst;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
