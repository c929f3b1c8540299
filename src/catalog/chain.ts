import type { Size } from '../geometry.ts';
import { type SizeWish, wishedSize } from '../image/size.ts';
import type { Network } from '../networks/network.ts';
import type { ModelFile } from './find.ts';
import { modelsAfter, modelsFor } from './passes.ts';

/** The size of a result, and the models that produce it. */
export interface Chain<M> {
  /** The size of the result in pixels. */
  readonly size: Size;
  /** The exact factor by which the image is enlarged. */
  readonly factor: number;
  /**
   * The models in the order in which they run. If the product of their scales is not `factor`, the
   * result is then resized.
   */
  readonly models: readonly (M | ModelFile)[];
}

/**
 * Plans the runs for one image. If the id of a shipped model is given, the plan uses models of the
 * same family. Their scales depend on the factor. If no model is given, the default models enlarge
 * the image. A user's own model runs as many times as the factor requires. A restoration model runs
 * once, before all others, and the default models enlarge its result.
 *
 * @param files the shipped models
 * @param wish the requested size, specified in exactly one way
 * @param by the id of a shipped model, or a user's own model; if neither is given, the default
 *   models run
 * @throws CrispenError `INVALID_INPUT` for a factor above `MAX_FACTOR`; `MODEL_UNKNOWN` for an
 *   unknown id
 */
export function planChain<M extends { readonly scale: number } = ModelFile>(
  files: readonly ModelFile[],
  image: Size,
  wish: SizeWish,
  by: { readonly shipped?: string | undefined; readonly own?: M | undefined } = {},
): Chain<M> {
  const { factor, width, height } = wishedSize(image, wish);
  const models = by.own ? modelsAfter(files, factor, by.own) : modelsFor(files, factor, by.shipped);
  return { size: { width, height }, factor, models };
}

/** Returns a chain's models, each with its network and the size of its input image. */
export async function runsOf<M extends { readonly scale: number }>(
  image: Size,
  models: readonly M[],
  networkOf: (model: M) => Promise<Network>,
): Promise<(Size & { readonly model: M; readonly network: Network })[]> {
  let { width, height } = image;
  const runs = [];
  for (const model of models) {
    runs.push({ model, network: await networkOf(model), width, height });
    width *= model.scale;
    height *= model.scale;
  }
  return runs;
}
