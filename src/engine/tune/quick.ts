import { throwIfAborted } from '../../errors.ts';
import type { ElementType } from '../../kernels/kernel.ts';
import type { Device } from '../gpu/device.ts';
import { LAYERS, makeLayer, withLayer } from './layers.ts';
import {
  type Choice,
  type ConvMethod,
  convFor,
  familyOf,
  type MethodChoice,
  type VariantName,
  variantOf,
} from './tuning.ts';

export interface QuickOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * The total GPU time in milliseconds that the timed runs may take. Compilation and the checks of
   * results do not count. The default is 250.
   */
  readonly budgetMs?: number;
  /** The side length in pixels of the map on which variants are timed. The default is 256. */
  readonly side?: number;
  /**
   * The maximum number of variants to time per precision, including the choice from the table
   * `FAMILIES`. The default is 6.
   */
  readonly candidates?: number;
}

export interface QuickResult {
  readonly choice: Choice;
  /** The total GPU time in milliseconds that the timed runs took. */
  readonly spentMs: number;
  /**
   * One entry for each candidate that was timed on both test layers: the precision, the method and
   * the total time in milliseconds.
   */
  readonly timed: readonly Timed[];
}

type Timed = readonly [ElementType, ConvMethod, milliseconds: number];

const BUDGET_MS = 250;
const SIDE = 256;
/**
 * The size at which results are checked. The width and the height are odd and larger than those of
 * a workgroup's tile, but small enough that plain loops on the CPU can compute the expected result.
 */
const CHECKED = { width: 35, height: 33 };
/**
 * The time in milliseconds that the runs of one measurement should take together. A single run
 * could be too short to measure, because browsers round timestamps to 0.1 ms.
 */
const SAMPLE_MS = 3;
const MOST_RUNS = 32;
const MOST_CANDIDATES = 6;
/**
 * The candidates, with the most promising first. The variant that `FAMILIES` specifies for the
 * adapter is tried before them.
 */
const CANDIDATES: Readonly<Record<ElementType, readonly VariantName[]>> = {
  f32: ['shared', 'uniform', 'strips', 'halo', 'short', 'wide'],
  f16: ['matrix', 'shared', 'uniform', 'strips', 'halo', 'short'],
};
/** The two test layers: a 3x3 convolution and a 1x1 convolution. */
const [TRUNK, SQUEEZE] = LAYERS;

/** Keeps track of the GPU time that has been spent. */
class Budget {
  spent = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  allows = (ms: number): boolean => this.spent + ms <= this.#most;

  spend(ms: number): number {
    this.spent += ms;
    return ms;
  }
}

/**
 * Times a few convolution variants on two layers and checks each variant's results against the CPU
 * reference. Chooses the fastest for f32, and for f16 if the device supports it. All other choices,
 * such as the fusion level, come from the table `FAMILIES`. Candidates that could not be timed
 * within the budget are not chosen.
 * @returns null on a software adapter or if no candidate could be timed
 * @throws CrispenError `ABORTED`, `DEVICE_LOST`
 */
export async function tuneQuickly(
  device: Device,
  options: QuickOptions = {},
): Promise<QuickResult | null> {
  const { adapter, elements } = device;
  if (adapter.isFallbackAdapter) return null;
  const { budgetMs = BUDGET_MS } = options;
  const { half, family: _, matches: __, ...own } = familyOf(adapter);
  const timed: Timed[] = [];
  const choose = async (
    element: ElementType,
    usual: MethodChoice,
    budget: Budget,
  ): Promise<MethodChoice> => {
    const found = await timeCandidates(device, element, usual.conv, budget, options);
    timed.push(...found);
    const [best] = found.toSorted(([, , a], [, , b]) => a - b);
    return { ...usual, conv: best?.[1] ?? usual.conv };
  };
  // f16 gets half of the budget plus the time that f32 did not use.
  const first = new Budget(budgetMs / elements.length);
  const f32 = await choose('f32', own, first);
  const second = new Budget(budgetMs - first.spent);
  const f16 = elements.includes('f16') ? await choose('f16', half ?? own, second) : undefined;
  if (timed.length === 0) return null;
  return {
    choice: { ...f32, ...(f16 && { half: f16 }) },
    spentMs: first.spent + second.spent,
    timed,
  };
}

/**
 * Returns the candidates that produced correct results and were timed on both layers. Each comes
 * with the sum of its two times.
 */
async function timeCandidates(
  device: Device,
  element: ElementType,
  usual: ConvMethod,
  budget: Budget,
  { signal, side = SIDE, candidates = MOST_CANDIDATES }: QuickOptions,
): Promise<Timed[]> {
  const { adapter } = device;
  const methods = [...new Set<ConvMethod>([usual, ...CANDIDATES[element]])]
    .filter((method) => variantOf(method).offered(adapter))
    .slice(0, candidates);
  const size = { width: side, height: side };
  const layers = [TRUNK, SQUEEZE].map((spec) => ({
    small: makeLayer(spec, CHECKED, element),
    large: makeLayer(spec, size, element, false),
  }));
  const found: Timed[] = [];
  for (const method of methods) {
    let total = 0;
    for (const { small, large } of layers) {
      throwIfAborted(signal);
      const variant = (await convFor(method, adapter))(small.spec);
      const isRight = await withLayer(
        device,
        variant,
        small,
        async ({ check }) => (await check()).isRight,
      );
      throwIfAborted(signal);
      const ms = isRight
        ? await withLayer(device, variant, large, ({ time }) => sample(time, budget, signal))
        : null;
      total += ms ?? Number.NaN;
      if (ms === null) break;
    }
    if (!Number.isNaN(total)) found.push([element, method, total]);
  }
  return found;
}

/**
 * Returns the time of one run in milliseconds, or null if too little of the budget is left. The
 * time is the mean of several runs, which together take about `SAMPLE_MS`.
 */
async function sample(
  time: (times?: number) => Promise<number>,
  budget: Budget,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  if (!budget.allows(0)) return null;
  // The first run also includes uploads. The measured time can be zero, because browsers round
  // timestamps.
  const once = Math.max(0.02, budget.spend(await time()));
  const times = Math.max(1, Math.min(MOST_RUNS, Math.round(SAMPLE_MS / once)));
  throwIfAborted(signal);
  if (!budget.allows(times * once)) return null;
  return budget.spend(await time(times)) / times;
}
