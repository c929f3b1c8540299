/**
 * Gathers the statistics of a whole image for a network that runs in tiles. For example, A2N
 * computes the weights of its two branches from the means of feature maps over the whole image. All
 * tiles must use the same means, or the borders between tiles would be visible. A first pass
 * gathers the means. It runs the network without its upsampling layers and thus needs far less
 * memory than the whole network. If the image is too large even for that, the means come from a
 * collage of its parts.
 */
import { CrispenError, nonFinite } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { paddingOf } from '../../graph/analysis.ts';
import type { RgbaImage } from '../../image/image.ts';
import type { ResourceId, Step } from '../compile/program.ts';
import { Arena, markBytes, planProgram } from '../gpu/arena.ts';
import { type Buffers, withBuffers } from '../gpu/buffers.ts';
import { type Device, USAGE } from '../gpu/device.ts';
import type { Model } from '../gpu/model.ts';
import type { Pace } from '../gpu/pace.ts';
import { Receipt } from '../gpu/receipt.ts';
import { paddedSize, withBorder } from './bordered.ts';
import { samplesOf } from './collage.ts';
import { imageResources, wholeImage, workOf } from './strips.ts';

/**
 * A model whose pooling means are provided in `inputs` instead of being computed by its own steps.
 */
interface GivenModel {
  readonly model: Model;
  /**
   * The resources that receive the means: one per pooling op, in the order of the steps. Each
   * contains one f32 per channel, padded to whole blocks of four channels.
   */
  readonly inputs: readonly ResourceId[];
}

/** Returns a function that calls `make` once for each model and remembers the results. */
export function perModel<T>(make: (model: Model) => T): (model: Model) => T {
  const made = new WeakMap<Model, T>();
  return (model) => {
    if (!made.has(model)) made.set(model, make(model));
    return made.get(model) as T;
  };
}

/**
 * Returns the variant of a model that reads its pooling means from `inputs` instead of computing
 * them. Every call with the same model returns the same object.
 */
const givenModel = perModel((model): GivenModel => {
  const { program } = model;
  const resources = [...program.resources];
  const inputs: ResourceId[] = [];
  const steps = program.steps.map((step): Step => {
    const { sums } = step;
    if (!sums) return step;
    const id = resources.length;
    inputs.push(id);
    const bytes = () => sums.blocks * 16;
    resources.push({ name: `${step.name}:mean`, bytes, external: true });
    return {
      ...step,
      reads: step.reads.map((read, i) => (i === sums.operand ? { resource: id } : read)),
      // The step adds the partial sums and divides the total by the number of pixels. Here, the
      // mean is the only partial sum and the number of pixels is set to 1, so the step returns the
      // mean unchanged.
      params: (size, tile) => ({
        ...step.params(size, tile),
        [sums.count]: 1,
        [sums.pixels]: 1,
      }),
    };
  });
  const { packed, status } = imageResources(program);
  const changed = { ...model, program: { ...program, resources, steps } };
  return { model: onlyFor(changed, new Set([packed, status])), inputs };
});

/** Reduces a model to the steps that produce the wanted resources. */
export function onlyFor(model: Model, wanted: ReadonlySet<ResourceId>): Model {
  const needed = new Set(wanted);
  const kept = new Set<Step>();
  for (const step of model.program.steps.toReversed()) {
    if (!step.writes.some((id) => needed.has(id))) continue;
    for (const read of step.reads) if ('resource' in read) needed.add(read.resource);
    kept.add(step);
  }
  return withSteps(model, (step) => kept.has(step));
}

/** Returns a copy of a model that has only the steps for which `keeps` returns true. */
export const withSteps = (
  { program, pipelines, ...model }: Model,
  keeps: (step: Step) => boolean,
): Model => ({
  ...model,
  program: { ...program, steps: program.steps.filter(keeps) },
  pipelines: pipelines.filter((_, i) => keeps(program.steps[i])),
});

export interface Statistics {
  readonly kind: 'exact' | 'estimated';
  /**
   * The model that runs on the tiles. It reads the means from the resources in `inputs`. Each entry
   * of `inputs` consists of a resource and the values that must be written to it.
   */
  readonly model: Model;
  readonly inputs: readonly (readonly [ResourceId, Float32Array<ArrayBuffer>])[];
  /** The bytes of GPU memory that were used to gather the means, including the model's weights. */
  readonly bytes: number;
}

/**
 * Plans how to gather the statistics of a model over an image.
 * @param kind `exact` gathers the statistics over the whole image if there is enough memory;
 *   `estimated` always uses a collage of the image's parts.
 * @returns the amount of work that gathering takes, in the units of `Step.work`, and the function
 *   `gather`.
 */
export function planStatistics(
  device: Device,
  model: Model,
  image: RgbaImage,
  budget: number,
  kind: Statistics['kind'] = 'exact',
) {
  /** The steps that compute the results of pooling ops, and the resources with the partial sums. */
  const poolings = model.program.steps.flatMap((step) => {
    const { sums } = step;
    const read = sums && step.reads[sums.operand];
    return sums && read && 'resource' in read ? [{ step, sums, resource: read.resource }] : [];
  });
  const wanted = new Set(poolings.map(({ resource }) => resource));
  const pass = onlyFor(model, wanted);
  const padding = paddingOf(model.network.graph);
  const { multiple } = padding;
  const sumBytes = (size: Size): number[] =>
    poolings.map(({ resource }) => pass.program.resources[resource].bytes(size));
  // The staging buffer receives the sums and a `Receipt`. The receipt consists of the uploaded
  // pixels and one mark per submission, read back from the GPU. It proves that the upload and all
  // submissions took place.
  const stagingBytes = (size: Size): number =>
    sumBytes(size).reduce((sum, bytes) => sum + bytes, 0) +
    size.width * size.height * 4 * image.data.BYTES_PER_ELEMENT +
    markBytes(pass.program, size);
  const fits = (image: Size): boolean => {
    const size = paddedSize(padding, image);
    const plan = planProgram(pass.program, size, wanted);
    const total = plan.bytes + stagingBytes(size) + model.weights.size;
    return plan.largest <= device.largestBuffer && total <= budget;
  };
  const samples = () => samplesOf(image, multiple, fits, kind);
  const [{ image: first }] = samples();
  return {
    work: workOf(pass.program, [wholeImage(paddedSize(padding, first), multiple)]),

    /**
     * @throws CrispenError with the code `NON_FINITE` or any code that `Arena.run` throws. The code
     *   is `OUT_OF_MEMORY` only if even the smallest collage does not fit into memory.
     */
    async gather(options: {
      readonly pace: Pace;
      readonly signal?: AbortSignal | undefined;
      readonly onWork: (work: number) => void;
    }): Promise<Statistics> {
      let refused: unknown;
      for (const sample of samples()) {
        try {
          const { given, bytes } = await means(withBorder(sample.image, padding));
          const { model: running, inputs } = givenModel(model);
          const { kind } = sample;
          return { kind, model: running, inputs: inputs.map((id, i) => [id, given[i]]), bytes };
        } catch (error) {
          if (!(error instanceof CrispenError && error.code === 'OUT_OF_MEMORY')) throw error;
          refused = error;
        }
      }
      throw refused;

      function means(sample: RgbaImage) {
        const [whole] = wholeImage(sample, multiple).tiles;
        const view = { ...whole, image: sample };
        const lengths = sumBytes(whole.source);
        const total = lengths.reduce((sum, bytes) => sum + bytes, 0);
        const gatherIn = async (buffers: Buffers) => {
          const staging = await buffers.allocate('allocating the statistics', (make) =>
            make('statistics', stagingBytes(whole.source), USAGE.MAP_READ | USAGE.COPY_DST),
          );
          const arena = await Arena.create(buffers, pass, whole.source, wanted);
          const { source } = imageResources(pass.program);
          const receipt = new Receipt(device, staging, total);
          await arena.run(arena.sized(view), {
            ...options,
            receipt,
            write: () => arena.write(source, sample.data),
            finish: (encoder) => {
              receipt.expect(encoder, arena.buffer(source), 0, sample.data);
              let at = 0;
              poolings.forEach(({ resource }, i) => {
                encoder.copyBufferToBuffer(arena.buffer(resource), 0, staging, at, lengths[i]);
                at += lengths[i];
              });
            },
          });
          const given = await device.mapped(staging, receipt.end, (content) => {
            receipt.check(content);
            let at = 0;
            return poolings.map(({ step, sums }, i) => {
              const { width, height } = whole.source;
              const size = { width: width * step.scale, height: height * step.scale };
              const words = step.params(size, view);
              const partials = new Float32Array(content, at, lengths[i] / 4);
              at += lengths[i];
              const means = mean(partials, sums.blocks * 4, words[sums.count], words[sums.pixels]);
              if (!means.every(Number.isFinite)) throw nonFinite();
              return means;
            });
          });
          return { given, bytes: buffers.bytes + model.weights.size };
        };
        return withBuffers(device, gatherIn, options.pace);
      }
    },
  };
}

/**
 * Returns each channel's mean, which is the total of its partial sums divided by `pixels`. The
 * array `sums` has the shape [count][channels]. Its values are added in f64.
 */
function mean(
  sums: Float32Array,
  channels: number,
  count: number,
  pixels: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += sums[i * channels + c];
    return sum / pixels;
  });
}
