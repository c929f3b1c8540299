import type { GraphNode, NodeId } from '../graph/graph.ts';
import { packBias } from '../kernels/conv.ts';
import { convPartsGrid, convPartsKernel, convPartsParams } from '../kernels/convParts.ts';
import { BOUND_PARTS, blocksOf, type Kernel } from '../kernels/kernel.ts';
import { packAffine, pointwiseKernel } from '../kernels/pointwise.ts';
import { concatKernel, pixelShuffleKernel } from '../kernels/rearrange.ts';
import {
  linearKernel,
  poolFinishKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../kernels/vectorAlone.ts';
import {
  exact,
  type LoweringContext,
  mapShape,
  mapStep,
  type Operand,
  type OtherLowering,
  poolParams,
  poolSums,
} from './lower.ts';

/**
 * The ops of added checkpoints (concatenation, pixel shuffle, PReLU, normalisation), and those of the
 * dynamic attention module one by one. A chunk of its own: shipped networks need none of it.
 */
export const otherOps: OtherLowering = {
  parts(context, { spec, parts, channels, addend, weights }) {
    const bound = addend === null || parts.includes(addend) ? [...parts] : [...parts, addend];
    const index = addend === null ? 0 : bound.indexOf(addend);
    // A binding that the uniforms switch off still needs a buffer.
    while (bound.length < BOUND_PARTS) bound.push(parts[0]);
    const partsSpec = { ...spec, parts: channels, addend: index };
    return {
      kernel: convPartsKernel(spec.kernel, context.element),
      reads: [...bound.map((id) => ({ resource: context.read(id) })), ...weights],
      grid: ({ width, height }) => convPartsGrid(spec, width, height),
      params: ({ width, height }) => convPartsParams(partsSpec, width, height),
    };
  },

  alone(context, node, id) {
    const { graph, steps, element } = context;
    const read = (from: NodeId): Operand => ({ resource: context.read(from) });
    const map = (kernel: Kernel, reads: readonly Operand[]): void => {
      const { channels, scale } = mapShape(graph, id);
      const { name } = node;
      steps.push({
        name,
        kernel,
        reads,
        writes: [context.resource(id)],
        ...mapStep(channels, scale),
      });
    };
    const [from] = node.inputs;
    switch (node.op) {
      case 'prelu':
      case 'affine': {
        const { channels } = mapShape(graph, id);
        const words =
          node.op === 'prelu'
            ? context.constant(node.weight, 'f32', (w) => packBias(exact(w, node.weight), channels))
            : context.constant(`${node.name}:affine`, 'f32', () =>
                packAffine(node.scale, node.shift),
              );
        const reads = [read(from), read(from), words];
        return map(pointwiseKernel(node.op, null, element), reads);
      }
      case 'concat': {
        const reads = node.inputs.map(read);
        while (reads.length < BOUND_PARTS) reads.push(reads[0]);
        const parts = node.inputs.map((part) => mapShape(graph, part).channels);
        return map(concatKernel(parts, element), reads);
      }
      case 'pixelShuffle':
      case 'pixelUnshuffle': {
        const { channels } = mapShape(graph, id);
        return map(pixelShuffleKernel(node.op, node.scale, channels, element), [read(from)]);
      }
      case 'globalAveragePool':
        return finishPool(context, node, id);
      default:
        return vector(context, node, id);
    }
  },
};

function finishPool(context: LoweringContext, { name, inputs }: GraphNode, id: NodeId): void {
  const { channels, scale } = mapShape(context.graph, inputs[0]);
  const partials = context.poolPartial(inputs[0], `${name}:partials`);
  context.steps.push({
    name,
    kernel: poolFinishKernel(channels),
    reads: [{ resource: partials }],
    writes: [context.resource(id)],
    scale,
    grid: () => [blocksOf(channels), 1, 1],
    params: poolParams,
    sums: poolSums(channels),
    multiplyAdds: 0,
    work: 0,
  });
}

/** linear, softmax, activation of a vector. */
function vector(context: LoweringContext, node: GraphNode, id: NodeId): void {
  const { shape } = context.graph.nodes[node.inputs[0]];
  if (shape.kind !== 'vector') throw new Error(`${node.op} of a map is not lowered by itself`);
  const { length } = shape;
  const reads: Operand[] = [{ resource: context.read(node.inputs[0]) }];
  let kernel: Kernel;
  if (node.op === 'linear') {
    kernel = linearKernel(length, node.lengthOut);
    reads.push(context.constant(node.weight, 'f32', (w) => exact(w, node.weight)));
  } else if (node.op === 'softmax') kernel = softmaxKernel(length, node.temperature);
  else if (node.op === 'activation') kernel = vectorActivationKernel(length, node.activation);
  else throw new Error(`${node.op} of a vector is not lowered`);
  context.steps.push({
    name: node.name,
    kernel,
    reads,
    writes: [context.resource(id)],
    scale: 1,
    grid: () => [1, 1, 1],
    params: () => [],
    multiplyAdds: 0,
    work: 0,
  });
}
