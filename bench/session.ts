/** Runs the bench once, in a page or in Node. Measures all engines at all sizes. */
import { findModel } from '../src/catalog/files.ts';
import { shippedModel } from '../src/catalog/network.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { detect, recognise } from '../src/networks/detect.ts';
import type { Network } from '../src/networks/network.ts';
import { readWeights } from '../src/weights/read.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import { abortable } from './abortable.ts';
import { type Ceiling, measureCeiling } from './ceiling.ts';
import type { Contender, EngineId, OnProgress, Row } from './contender.ts';
import { type Gauge, measure } from './measure.ts';
import { cropPhoto } from './photo.ts';
import type { Stage } from './stage.ts';

export interface BenchRequest {
  readonly engines: readonly EngineId[];
  readonly sizes: readonly (readonly [width: number, height: number])[];
  readonly repeats: number;
  readonly scale: number;
}

/** A weight file. `shipped` marks a model from the manifest, whose network needs no detection. */
export interface BenchWeights {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly name: string;
  readonly shipped: boolean;
}

export interface BenchEvents {
  readonly onRows?: (rows: Row[], ceiling: Ceiling) => void;
  readonly onStage?: (stage: Stage) => void;
  readonly onProgress?: OnProgress;
  /**
   * Receives an image and the output of `crispen-unfused` for it: planar (chw), in units of 0..1.
   */
  readonly onReference?: (image: Rgba8Image, output: Float32Array) => void;
}

/** The share of a session that measuring the ceilings takes. It is used to report progress. */
const CEILING_PART = 0.05;

/** The model to use if no weight file is given. */
export const modelOf = (scale: number) => findModel(`a2n-x${scale}`);

/** @throws the signal's reason, as soon as `signal` fires. */
export async function runSession(
  { engines, sizes, repeats, scale }: BenchRequest,
  all: readonly Contender[],
  platform: {
    readonly gpu: GPU;
    readonly gauge: Gauge;
    readonly weights: BenchWeights;
    readonly photo: Rgba8Image;
    /** One core's multiply-adds per second, if the bench has CPU engines. */
    readonly core?: number;
    readonly signal?: AbortSignal | undefined;
  },
  { onRows, onStage, onProgress, onReference }: BenchEvents = {},
): Promise<Row[]> {
  const { gpu, gauge, photo, core, signal } = platform;
  const { network, weights } = await openWeights(platform.weights, scale);
  onStage?.({ what: 'ceilings' });
  gauge.begin('ceiling');
  const ceiling = {
    ...(await abortable(measureCeiling(gpu, signal), signal)),
    ...(core !== undefined && { core }),
  };
  const contenders = engines.flatMap((id) => all.filter(({ engine }) => engine === id));
  const reference = all.find(({ engine }) => engine === 'crispen-unfused')!;
  const rows: Row[] = [];
  for (const [index, [width, height]] of sizes.entries()) {
    const image = cropPhoto(photo, width, height);
    const task = { network, weights, image, signal };
    const options = { repeats, gauge, ceiling, reference };
    const measured = await measure(contenders, task, {
      ...options,
      onReference: (output) => onReference?.(image, output),
      onProgress: (done) =>
        onProgress?.(CEILING_PART + ((1 - CEILING_PART) * (index + done)) / sizes.length),
      ...(onStage && { onStage }),
    });
    rows.push(...measured);
    onRows?.(measured, ceiling);
  }
  return rows;
}

async function openWeights(
  { bytes, name, shipped }: BenchWeights,
  scale: number,
): Promise<{ network: Network; weights: TensorMap }> {
  const { tensors } = await readWeights(bytes, recognise);
  if (shipped) return shippedModel(modelOf(scale), tensors);
  return detect(tensors, { name, likelyScale: scale });
}
