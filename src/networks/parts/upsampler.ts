import { CrispenError } from '../../errors.ts';
import type { Graph, GraphBuilder, NodeId } from '../../graph/graph.ts';
import { convolutions } from './conv.ts';

const SLOPE = 0.2;

/** For each scale, the enlargement factor of each stage. */
const STAGES: ReadonlyMap<number, readonly number[]> = new Map([
  [1, []],
  [2, [2]],
  [3, [3]],
  [4, [2, 2]],
]);

export const noUpsampler = (scale: number): CrispenError =>
  new CrispenError('MODEL_UNSUPPORTED', `There is no x${scale} upsampler.`, {
    hint: 'Choose scale 2, 3 or 4.',
  });

/**
 * Appends the upsampler that PAN and A2N use. A stage is a nearest-neighbour enlargement, a
 * convolution, pixel attention and another convolution. x4 has two stages. At the end, the
 * bilinearly enlarged input is added to the last convolution's output. At x1 (restoration), there
 * are no stages, and the input is added unchanged.
 * @throws CrispenError `MODEL_UNSUPPORTED` for a scale other than 1 to 4
 */
export function upsampler(
  b: GraphBuilder,
  from: NodeId,
  input: NodeId,
  scale: number,
  features: number,
): Graph {
  const stages = STAGES.get(scale);
  if (!stages) throw noUpsampler(scale);
  const conv = convolutions(b, features);
  let x = from;
  stages.forEach((factor, index) => {
    const i = index + 1;
    const u = conv(`up${i}.conv`, b.nearest(`up${i}.nearest`, x, factor), `upconv${i}`);
    const linear = conv(`up${i}.gate_linear`, u, `att${i}.conv`, features, 1);
    const gate = b.sigmoid(`up${i}.gate`, linear);
    const attended = b.mul(`up${i}.attended`, u, gate);
    const activated = b.leakyRelu(`up${i}.att_lrelu`, attended, SLOPE);
    x = b.leakyRelu(`up${i}.hr_lrelu`, conv(`up${i}.hr_conv`, activated, `HRconv${i}`), SLOPE);
  });
  const residual = conv('residual_rgb', x, 'conv_last', b.map(input).channels);
  const skip = scale === 1 ? input : b.bilinear('bilinear_skip', input, scale);
  return b.build(b.add('output', residual, skip));
}
