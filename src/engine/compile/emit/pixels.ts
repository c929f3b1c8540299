import { packBias } from '../../../kernels/conv/conv.ts';
import { convPackGrid, convPackKernel } from '../../../kernels/conv/convFused.ts';
import { BOUND_PARTS, mapGrid } from '../../../kernels/kernel.ts';
import { enlargeKernel } from '../../../kernels/maps/enlarge.ts';
import { packAffine, pointwiseKernel } from '../../../kernels/maps/pointwise.ts';
import { concatKernel, pixelShuffleKernel } from '../../../kernels/maps/rearrange.ts';
import { packRgba8Kernel, unpackRgba8Kernel } from '../../../kernels/pixels/rgba8.ts';
import type { FusedOpOf, ValueId } from '../fused.ts';
import type { Operand, Step } from '../program.ts';
import { layerBias, layerWeights } from './conv.ts';
import { type Emission, type EmitterGroup, exact, mapStep, memoryWork } from './emission.ts';

/** Whatever goes over a map pixel by pixel: arithmetic, rearrangement, conversion. */
export const pixelEmitters: EmitterGroup<
  | 'pointwise'
  | 'prelu'
  | 'affine'
  | 'concat'
  | 'nearest'
  | 'bilinear'
  | 'pixelShuffle'
  | 'pixelUnshuffle'
  | 'unpack'
  | 'pack'
  | 'skipPack'
> = (emission) => {
  const { element } = emission;
  /** A step that writes a map, an invocation per vector. */
  const push = (
    { name, writes }: { name: string; writes: { y: ValueId } },
    kernel: Step['kernel'],
    reads: readonly Operand[],
  ): void => {
    emission.steps.push({
      name,
      kernel,
      reads,
      writes: [emission.write(writes.y)],
      ...mapStep(emission.map(writes.y)),
    });
  };
  const enlarge = (op: FusedOpOf<'nearest' | 'bilinear'>): void =>
    push(op, enlargeKernel(op.op, op.scale, element), [emission.read(op.reads.x)]);
  const shuffle = (op: FusedOpOf<'pixelShuffle' | 'pixelUnshuffle'>): void => {
    const { channels } = emission.map(op.writes.y);
    push(op, pixelShuffleKernel(op.op, op.scale, channels, element), [emission.read(op.reads.x)]);
  };
  return {
    pointwise: (op) => {
      // A binding that the kernel does not read still needs a buffer: the first operand will do.
      const { a, b, w } = op.reads;
      const kernel = pointwiseKernel(op.fn, op.activation, element, op.factor);
      push(
        op,
        kernel,
        [a, b ?? a, w ?? a].map((id) => emission.read(id)),
      );
    },
    prelu: (op) => {
      const { slopes, reads, writes } = op;
      const { channels } = emission.map(writes.y);
      const x = emission.read(reads.x);
      const words = emission.constant('slopes', [slopes], 'f32', (w) =>
        packBias(exact(w, slopes), channels),
      );
      push(op, pointwiseKernel('prelu', null, element), [x, x, words]);
    },
    affine: (op) => {
      const { name, scale, shift, reads } = op;
      const x = emission.read(reads.x);
      const words = emission.constant(`affine of ${name}`, [], 'f32', () =>
        packAffine(scale, shift),
      );
      push(op, pointwiseKernel('affine', null, element), [x, x, words]);
    },
    concat: (op) => {
      const reads: Operand[] = op.reads.x.map((id) => emission.read(id));
      while (reads.length < BOUND_PARTS) reads.push(reads[0]);
      const parts = op.reads.x.map((id) => emission.map(id).channels);
      push(op, concatKernel(parts, element), reads);
    },
    nearest: enlarge,
    bilinear: enlarge,
    pixelShuffle: shuffle,
    pixelUnshuffle: shuffle,
    unpack: (op) => emitUnpack(emission, op),
    pack: (op) => emitPack(emission, op),
    skipPack: (op) => emitSkipPack(emission, op),
  };
};

function emitUnpack(emission: Emission, { name, writes }: FusedOpOf<'unpack'>): void {
  emission.steps.push({
    name,
    kernel: unpackRgba8Kernel(emission.format(writes.y), emission.element),
    reads: [{ resource: emission.image().source }],
    // Inputs have their resources from the start.
    writes: [emission.read(writes.y).resource],
    scale: 1,
    grid: ({ width, height }) => mapGrid(width, height, 1),
    params: ({ width, height }, tile) => [
      width,
      height,
      0,
      tile.image.width,
      tile.source.x,
      tile.source.y,
      tile.image.height,
    ],
    multiplyAdds: 0,
    work: memoryWork(5, 1),
  });
}

function emitPack(emission: Emission, { name, reads }: FusedOpOf<'pack'>): void {
  const { scale } = emission.map(reads.x);
  const { source, packed, status } = emission.image();
  emission.steps.push({
    name,
    kernel: packRgba8Kernel({ ...emission.format(reads.x), scale }, emission.element),
    reads: [emission.read(reads.x), { resource: source }],
    writes: [packed, status],
    scale,
    grid: (_, { core }) => mapGrid(core.width * scale, core.height * scale, 1),
    params: (size, tile) => [
      tile.core.width * scale,
      tile.core.height * scale,
      0,
      size.width,
      (tile.core.x - tile.source.x) * scale,
      (tile.core.y - tile.source.y) * scale,
      tile.image.width,
      tile.image.height,
      tile.core.x * scale,
      tile.core.y * scale,
    ],
    multiplyAdds: 0,
    work: memoryWork(5, scale),
  });
}

function emitSkipPack(emission: Emission, op: FusedOpOf<'skipPack'>): void {
  const { conv, scale, reads, multiplyAdds } = op;
  const { range } = emission.format(emission.graph.output);
  const { packed, status } = emission.image();
  emission.steps.push({
    name: `${op.name}:packed`,
    kernel: convPackKernel({ cIn: conv.cIn, scale, range }, emission.element),
    reads: [
      emission.read(reads.x),
      layerWeights(emission, conv),
      layerBias(emission, conv),
      emission.read(reads.skip),
    ],
    writes: [packed, status],
    scale,
    grid: (_, { core }) => convPackGrid(core.width * scale, core.height * scale),
    params: (size, { core, source }) => [
      core.width * scale,
      core.height * scale,
      0,
      size.width,
      size.height,
      (core.x - source.x) * scale,
      (core.y - source.y) * scale,
    ],
    multiplyAdds,
    work: multiplyAdds + memoryWork(conv.cIn + 4, scale),
  });
}
