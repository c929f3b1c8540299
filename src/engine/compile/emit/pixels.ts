import { paddingOf } from '../../../graph/analysis.ts';
import { packBias } from '../../../kernels/conv/conv.ts';
import { mapGrid } from '../../../kernels/kernel.ts';
import { enlargeKernel } from '../../../kernels/maps/enlarge.ts';
import { packAffine, pointwiseKernel } from '../../../kernels/maps/pointwise.ts';
import { concatKernel, pixelShuffleKernel } from '../../../kernels/maps/rearrange.ts';
import { packRgba8Kernel, unpackRgba8Kernel } from '../../../kernels/pixels/rgba8.ts';
import type { FusedOpOf } from '../fused.ts';
import { type Emission, type EmitterGroup, emitMap, exact, memoryWork } from './emission.ts';

/**
 * The emitters for arithmetic on the values of maps, for enlarging and rearranging maps, and for
 * converting them to and from pixels.
 */
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
> = (emission) => {
  const { element } = emission;
  const enlarge = (op: FusedOpOf<'nearest' | 'bilinear'>): void =>
    emitMap(emission, op, enlargeKernel(op.op, op.scale, element), {
      x: emission.read(op.reads.inputs[0]),
    });
  const shuffle = (op: FusedOpOf<'pixelShuffle' | 'pixelUnshuffle'>): void => {
    const { channels } = emission.map(op.writes.y);
    const kernel = pixelShuffleKernel(op.op, op.scale, channels, element);
    emitMap(emission, op, kernel, { x: emission.read(op.reads.inputs[0]) });
  };
  return {
    pointwise: (op) => {
      // A binding that the kernel does not read still needs a buffer, so we bind the first operand.
      const { a, b, w } = op.reads;
      const kernel = pointwiseKernel(op.fn, op.activation, element, op.factor);
      emitMap(emission, op, kernel, {
        a: emission.read(a),
        b: emission.read(b ?? a),
        p: emission.read(w ?? a),
      });
    },
    prelu: (op) => {
      const { weight, reads, writes } = op;
      const { channels } = emission.map(writes.y);
      const x = emission.read(reads.inputs[0]);
      const words = emission.constant('slopes', [weight], 'f32', (w) =>
        packBias(exact(w, weight), channels),
      );
      emitMap(emission, op, pointwiseKernel('prelu', null, element), { a: x, b: x, p: words });
    },
    affine: (op) => {
      const { name, scale, shift, reads } = op;
      const x = emission.read(reads.inputs[0]);
      const words = emission.constant(`affine of ${name}`, [], 'f32', () =>
        packAffine(scale, shift),
      );
      emitMap(emission, op, pointwiseKernel('affine', null, element), { a: x, b: x, p: words });
    },
    concat: (op) => {
      const { inputs } = op.reads;
      const [x0, x1 = x0, x2 = x0, x3 = x0, x4 = x0] = inputs.map((id) => emission.read(id));
      const parts = inputs.map((id) => emission.map(id).channels);
      emitMap(emission, op, concatKernel(parts, element), { x0, x1, x2, x3, x4 });
    },
    nearest: enlarge,
    bilinear: enlarge,
    pixelShuffle: shuffle,
    pixelUnshuffle: shuffle,
    unpack: (op) => emitUnpack(emission, op),
    pack: (op) => emitPack(emission, op),
  };
};

function emitUnpack(emission: Emission, { name, writes }: FusedOpOf<'unpack'>): void {
  const format = emission.format(writes.y);
  const { value } = paddingOf(emission.graph);
  const padding = value === undefined ? undefined : value * format.range;
  emission.dispatch({
    name,
    kernel: unpackRgba8Kernel({ ...format, padding }, emission.element),
    reads: { image: { resource: emission.image().source } },
    // The resource for the network's input already exists.
    writes: { y: emission.read(writes.y).resource },
    grid: ({ width, height }) => mapGrid(width, height, 1),
    params: ({ width, height }, tile) => ({
      width,
      height,
      image_width: tile.image.width,
      col0: tile.source.x,
      row0: tile.source.y,
      image_height: tile.image.height,
    }),
    work: memoryWork(5, 1),
  });
}

function emitPack(emission: Emission, { name, reads }: FusedOpOf<'pack'>): void {
  const { scale } = emission.map(reads.x);
  const { source, packed, status } = emission.image();
  emission.dispatch({
    name,
    kernel: packRgba8Kernel({ ...emission.format(reads.x), scale }, emission.element),
    reads: { x: emission.read(reads.x), source: { resource: source } },
    writes: { image: packed, status },
    scale,
    grid: (_, { core }) => mapGrid(core.width * scale, core.height * scale, 1),
    params: (size, tile) => ({
      width: tile.core.width * scale,
      height: tile.core.height * scale,
      map_width: size.width,
      col0: (tile.core.x - tile.source.x) * scale,
      row0: (tile.core.y - tile.source.y) * scale,
      image_width: tile.image.width,
      image_height: tile.image.height,
      out_col0: tile.core.x * scale,
      out_row0: tile.core.y * scale,
      mark: tile.mark ?? 1,
    }),
    work: memoryWork(5, scale),
  });
}
