/** Everything beyond one run of a network on an opaque 8-bit colour image; lazily loaded. */

import type { ModelFile } from '../catalog/files.ts';
import { modelsAfter, modelsFor } from '../catalog/passes.ts';
import {
  type EnlargeReport,
  enlarge,
  enlargeWhole,
  type Pass,
} from '../engine/pipeline/enlarge.ts';
import type { StripSink, UpscaleOptions } from '../engine/types.ts';
import type { Depth, RgbaImage } from '../image/image.ts';
import { wishedSize } from '../image/size.ts';
import type { Network } from '../networks/network.ts';
import type { EngineHost, LoadModel } from './host.ts';
import type { UpscaleOutput, UpscalePlan } from './protocol.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The part of a model that a chain needs. `entry` is null for an added model. */
interface Link {
  readonly id: string;
  readonly scale: number;
  readonly entry: ModelFile | null;
}

type Wanted = Pick<UpscalePlan, 'wish' | 'scale'>;

/**
 * The size of the result, and the models to run in turn. A shipped model stands for its family,
 * null for the default models. An added model runs as often as needed. A restoring model runs once,
 * and the default models enlarge.
 * @throws CrispenError `INVALID_INPUT` like `wishedSize`
 */
export function chainFor(
  image: Size,
  { wish, scale }: Wanted,
  chosen: Link | null,
): { readonly size: Size; readonly chain: readonly Link[] } {
  const { factor, ...size } = wishedSize(image, wish ?? { scale });
  const own = chosen && !chosen.entry ? chosen : null;
  const models = own ? modelsAfter(factor, own) : modelsFor(factor, chosen?.id);
  const chain = models.map(
    (model): Link =>
      'entry' in model ? model : { id: model.id, scale: model.scale, entry: model },
  );
  return { size, chain };
}

/** The networks of a chain, each with the output size of the previous one. */
export async function runsOf<L extends Link>(
  image: Size,
  chain: readonly L[],
  networkOf: (link: L) => Promise<Network>,
): Promise<(Size & { readonly network: Network })[]> {
  let { width, height } = image;
  const runs = [];
  for (const link of chain) {
    runs.push({ network: await networkOf(link), width, height });
    width *= link.scale;
    height *= link.scale;
  }
  return runs;
}

/** The way from a source's pixels to those of the result. */
export interface Way<L extends Link = Link> {
  readonly size: Size;
  readonly depth: Depth;
  readonly chain: readonly L[];
  readonly backend: UpscaleOutput['backend'];
  /** One pass is enough: an opaque 8-bit colour image at the model's own scale. */
  readonly isPlain: boolean;
}

/** How the worker loads a model. */
interface Services<L> {
  readonly onGpu: (link: L, wide: boolean) => LoadModel;
  readonly onCpu: (link: L) => Promise<Pass['run']>;
}

/**
 * Runs the chain. All models are loaded before the first one runs.
 * @param host null: there is no GPU.
 * @param take receives the strips of the result; without it they become one image.
 */
export async function enlargeBeyond<L extends Link>(
  input: RgbaImage,
  { size, depth, chain, backend }: Way<L>,
  host: EngineHost | null,
  services: Services<L>,
  options: UpscaleOptions,
  take?: StripSink,
): Promise<{ readonly image: RgbaImage | null; readonly report: EnlargeReport }> {
  const passes: Pass[] = [];
  for (const link of backend === 'lanczos' ? [] : chain) {
    const { id: model, scale } = link;
    const run =
      host && backend === 'webgpu'
        ? await onGpu(host, services.onGpu(link, depth === 16))
        : await services.onCpu(link);
    passes.push({ model, scale, run });
  }
  const plan = { size, depth, passes, device: host?.device ?? null };
  if (!take) return enlargeWhole(input, plan, options);
  return { image: null, report: await enlarge(input, plan, options, take) };
}

async function onGpu(host: EngineHost, load: LoadModel): Promise<Pass['run']> {
  await host.retry((engine) => load(engine, false));
  return (image, options, sink) => host.upscale(load, image, options, sink);
}
