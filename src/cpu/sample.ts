/** Means over an image that is cut into tiles; lazily loaded. */
import type { ProgressMeter } from '../engine/progress.ts';
import { samplesOf } from '../engine/tile/collage.ts';
import { wholeImage } from '../engine/tile/strips.ts';
import type { UpscaleOptions } from '../engine/types.ts';
import { pixelsOf, type Size } from '../geometry.ts';
import { sizeMultiple } from '../graph/analysis.ts';
import type { RgbaImage } from '../image/image.ts';
import type { CpuModel } from './model.ts';

interface Sampling extends Pick<UpscaleOptions, 'signal' | 'statistics'> {
  readonly meter: ProgressMeter;
  readonly budget: number;
}

/**
 * Of the whole image, if the part of the network that computes them fits the budget, otherwise of a
 * collage of its parts.
 */
export async function sampleMeans(
  model: CpuModel,
  image: RgbaImage,
  { signal, statistics, meter, budget }: Sampling,
) {
  const multiple = sizeMultiple(model.network.graph);
  const cells = (size: Size) => wholeImage(size, multiple).tiles[0].source;
  const fits = (size: Size) => model.bytes(cells(size), 'pooling') <= budget;
  const [sample] = samplesOf(image, multiple, fits, statistics);
  const size = cells(sample.image);
  meter.expect(pixelsOf(size) * model.work('pooling'));
  const onWork = (work: number) => meter.advance(work);
  const given = await model.means(sample.image, size, { signal, onWork });
  return { statistics: sample.kind, given };
}
