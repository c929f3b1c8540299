/**
 * Computes the channel means shared by all tiles of an image. This file is loaded only when it is
 * needed.
 */
import type { ProgressMeter } from '../engine/progress.ts';
import { paddedSize, withBorder } from '../engine/tile/bordered.ts';
import { samplesOf } from '../engine/tile/collage.ts';
import type { UpscaleOptions } from '../engine/types.ts';
import { pixelsOf, type Size } from '../geometry.ts';
import { paddingOf } from '../graph/analysis.ts';
import type { RgbaImage } from '../image/image.ts';
import type { CpuModel } from './model.ts';

interface Sampling extends Pick<UpscaleOptions, 'signal' | 'statistics'> {
  readonly meter: ProgressMeter;
  readonly budget: number;
}

/**
 * Returns the results of the network's pooling ops (channel means), computed from the whole image.
 * If there is too little memory for this, or if `statistics` is `estimated`, the means are computed
 * from a collage of some of the image's parts.
 */
export async function sampleMeans(
  model: CpuModel,
  image: RgbaImage,
  { signal, statistics, meter, budget }: Sampling,
) {
  const padding = paddingOf(model.network.graph);
  const fits = (size: Size) => model.bytes(paddedSize(padding, size), 'pooling') <= budget;
  const [sample] = samplesOf(image, padding.multiple, fits, statistics);
  const size = paddedSize(padding, sample.image);
  meter.expect(pixelsOf(size) * model.work('pooling'));
  const onWork = (work: number) => meter.advance(work);
  const pixels = withBorder(sample.image, padding);
  const given = await model.means(pixels, size, { signal, onWork });
  return { statistics: sample.kind, given };
}
