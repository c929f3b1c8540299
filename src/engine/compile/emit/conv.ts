import type { Size } from '../../../geometry.ts';
import { mapSize } from '../../../graph/shape.ts';
import {
  type ConvShape,
  type ConvSpec,
  convParams,
  packBias,
  packConvWeights,
  plainConv,
  shapeGrid,
} from '../../../kernels/conv/conv.ts';
import { convPartsKernel, convPartsParams, partsShape } from '../../../kernels/conv/convParts.ts';
import { blocksOf, type Grid } from '../../../kernels/kernel.ts';
import type { ConvLayer, ConvOp } from '../fused.ts';
import type { Operand } from '../program.ts';
import type { NetworkWeights } from '../weights.ts';
import { type Emission, type EmitterGroup, exact, memoryWork, optional } from './emission.ts';

/** The emitter for convolutions with their epilogues. A convolution can read several maps. */
export const convEmitters: EmitterGroup<'conv'> = (emission) => ({
  conv: (op) => emitConv(emission, op),
});

function emitConv(emission: Emission, op: ConvOp): void {
  const { kernel, cIn, cOut, upsample, act0, act1, factor, mix, reads, multiplyAdds } = op;
  const { multiplier, addend } = reads;
  const spec: ConvSpec = {
    kernel,
    cIn,
    cOut,
    upsample,
    act0: act0?.fn === 'prelu' ? 'prelu' : act0,
    multiply: multiplier !== null && mix === undefined,
    add: addend !== null && mix === undefined,
    factor,
    act1,
    mix,
  };
  const { scale, reduced } = emission.map(op.writes.y);
  const shared = {
    name: op.name,
    scale,
    reduced,
    multiplyAdds,
    work: multiplyAdds + memoryWork(cIn + cOut, scale),
  };
  if (reads.x.length === 1) emission.dispatch({ ...oneMap(emission, op, spec), ...shared });
  else emission.dispatch({ ...overParts(emission, op, spec), ...shared });
}

function oneMap(emission: Emission, op: ConvOp, layer: ConvSpec) {
  const { element } = emission;
  const { x, multiplier, addend } = op.reads;
  const wanted = emission.conv(layer);
  const variant = (wanted.only ?? element) === element ? wanted : plainConv;
  const { packing } = variant;
  const y = emission.write(op.writes.y);
  const spec = { ...layer, pool: variant.pools && emission.pools(op.writes.y) };
  const grid = ({ width, height }: Size) => variant.grid(spec, width, height);
  const weights = packing
    ? emission.constant(`conv ${packing.name}`, [op.weight], element, (w) =>
        packing.arrange(packLayer(w, op), spec),
      )
    : layerWeights(emission, op);
  // If there is no multiplier or addend, its binding still needs a buffer, so we bind the input.
  const [source] = x;
  return {
    kernel: variant.kernel(spec, element),
    reads: {
      x: emission.read(source),
      weights,
      bias: biases(emission, op),
      multiplier: emission.read(multiplier ?? source),
      addend: emission.read(addend ?? source),
    },
    writes: { y, partials: spec.pool ? sums(emission, op, grid) : y },
    grid,
    params: ({ width, height }: Size) => convParams(spec, width, height),
  };
}

/**
 * Creates a buffer for partial sums, which a pooling op later adds up. Each workgroup of the
 * convolution stores the sums of the pixels that it computed.
 */
function sums(emission: Emission, { name, writes: { y } }: ConvOp, grid: (size: Size) => Grid) {
  const shape = emission.map(y);
  const count = (size: Size) => {
    const [columns, rows] = grid(size);
    return columns * rows;
  };
  const bytes = (size: Size) => count(mapSize(shape, size)) * blocksOf(shape.channels) * 16;
  const partials = emission.scratch(`${name}:partials`, bytes);
  emission.summed(y, { partials, count });
  return partials;
}

/**
 * Returns the dispatch of a convolution that reads a concatenation. The kernel reads each part from
 * its own buffer, so the parts are not copied to a single map.
 */
function overParts(emission: Emission, op: ConvOp, spec: ConvSpec) {
  const { x, addend } = op.reads;
  const channels = x.map((id) => emission.map(id).channels);
  const bound = addend === null || x.includes(addend) ? [...x] : [...x, addend];
  const index = addend === null ? 0 : bound.indexOf(addend);
  // A binding without a map still needs a buffer.
  const [x0, x1 = x0, x2 = x0, x3 = x0, x4 = x0] = bound.map((id) => emission.read(id));
  const partsSpec = { ...spec, parts: channels, addend: index };
  // Each part of the concatenation starts a new block of four channels.
  const cIn = channels.reduce((sum, count) => sum + blocksOf(count) * 4, 0);
  const otherwise = partsShape(spec.kernel);
  const { shape, packing, packed, own } = shapeFor(emission, { ...spec, cIn }, otherwise);
  const weights = emission.constant(
    `conv of ${channels.join('+')}${packing}`,
    [op.weight],
    emission.element,
    (w) => packed(packConvWeights(exact(w, op.weight), op.cOut, op.cIn, op.kernel, channels)),
  );
  return {
    kernel: convPartsKernel(
      spec.kernel,
      emission.element,
      shape,
      own?.overParts?.(spec, x.length, bound.length),
    ),
    reads: { x0, x1, x2, x3, x4, weights, bias: biases(emission, op) },
    writes: { y: emission.write(op.writes.y) },
    grid: ({ width, height }: Size) => shapeGrid(shape, spec.cOut, width, height),
    params: ({ width, height }: Size) => convPartsParams(partsSpec, width, height),
  };
}

/**
 * Returns the `ConvShape` for a kernel that reads a concatenation or stores the final image, and
 * the variant that determines this shape. Also returns a function that arranges packed weights as
 * the shape needs them.
 */
export function shapeFor(emission: Emission, spec: ConvSpec, otherwise: ConvShape) {
  const wanted = emission.conv(spec);
  const isFree = (wanted.only ?? emission.element) === emission.element;
  const own = isFree && wanted.shape ? wanted : undefined;
  const shape = own?.shape?.(spec) ?? otherwise;
  const isArranged = shape.weights === 'uniform' || shape.weights === 'quad';
  const packing = isArranged ? own?.packing : undefined;
  return {
    shape,
    packing: packing ? ` ${packing.name}` : '',
    packed: (own: Float32Array<ArrayBuffer>) => packing?.arrange(own, spec) ?? own,
    own,
  };
}

const biases = (emission: Emission, op: ConvOp): Operand =>
  layerBias(emission, op, op.act0?.fn === 'prelu' ? op.act0.slopes : null);

/** The properties of a convolution on which its packed weights depend. */
type Weights = Pick<ConvLayer, 'weight' | 'cOut' | 'cIn'> & { readonly kernel: number };

const PLAIN = { packing: '', packed: (own: Float32Array<ArrayBuffer>) => own };

/**
 * Registers the weights of a convolution that reads one map. They are packed in the layout of the
 * plain kernel.
 */
export const layerWeights = (
  emission: Emission,
  layer: Weights,
  { packing, packed }: Pick<ReturnType<typeof shapeFor>, 'packing' | 'packed'> = PLAIN,
): Operand =>
  emission.constant(`conv${packing}`, [layer.weight], emission.element, (w) =>
    packed(packLayer(w, layer)),
  );

const packLayer = (w: NetworkWeights, { weight, cOut, cIn, kernel }: Weights) =>
  packConvWeights(exact(w, weight), cOut, cIn, kernel);

/** Registers a convolution's bias and, if given, the slopes of the PReLU that follows it. */
export const layerBias = (
  emission: Emission,
  { bias, cOut }: Pick<ConvLayer, 'bias' | 'cOut'>,
  slopes: string | null = null,
): Operand =>
  emission.constant(
    `bias of ${cOut}`,
    slopes === null ? [bias] : [bias, slopes],
    emission.element,
    (w) => packBias(optional(w, bias), cOut, optional(w, slopes)),
  );
