/** The parts that SwinIR, SRFormer and DAT share. */
import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { type Outline, shapeOf, shuffled, shuffleScale } from '../match.ts';
import { convolutions } from './conv.ts';
import { shuffleUp } from './shuffleUp.ts';

/**
 * The upsampler at the end of a network, as named in the training code. `none` means that the scale
 * is 1.
 */
export type Upsampler = 'pixelshuffle' | 'pixelshuffledirect' | 'nearest+conv' | 'none';

/**
 * Appends one 3x3 convolution or, if `three` is true, a bottleneck: a 3x3, a 1x1 and a 3x3
 * convolution, with a quarter of the channels between them.
 */
export function bodyConv(
  b: GraphBuilder,
  name: string,
  x: NodeId,
  layer: string,
  three: boolean,
): NodeId {
  const { channels } = b.map(x);
  const cOut = Math.floor(channels / 4);
  const conv = convolutions(b, cOut);
  if (!three) return conv(name, x, layer, channels);
  const first = conv(`${name}.0`, x, `${layer}.0`);
  const active = b.leakyRelu(`${name}.lrelu1`, first, 0.2);
  const middle = conv(`${name}.2`, active, `${layer}.2`, cOut, 1);
  const ready = b.leakyRelu(`${name}.lrelu2`, middle, 0.2);
  return conv(name, ready, `${layer}.4`, channels);
}

/**
 * Appends the layers that turn a body's features into a map with the output image's channels and
 * size. The values in this map are normalised (shifted and scaled) like the body's input, so the
 * caller must undo the normalisation.
 */
export function swinTail(
  b: GraphBuilder,
  x: NodeId,
  spec: { scale: number; upsampler: Upsampler; features: number; channels: number },
): NodeId {
  const { scale, upsampler, features, channels } = spec;
  const conv = convolutions(b, features);
  if (upsampler === 'none') return conv('last', x, 'conv_last', channels);
  if (upsampler === 'pixelshuffledirect') {
    const wide = conv('upsample_conv', x, 'upsample.0', channels * scale ** 2);
    return b.pixelShuffle('upsampled', wide, scale);
  }
  const before = conv('before_upsample', x, 'conv_before_upsample.0');
  let up = b.leakyRelu('conv_before_upsample', before, 0.01);
  if (upsampler === 'pixelshuffle') {
    return conv('last', shuffleUp(b, up, scale, 'upsample'), 'conv_last', channels);
  }
  for (let i = 1; 2 ** i <= scale; i++) {
    const wide = conv(`conv_up${i}`, b.nearest(`up${i}`, up, 2), `conv_up${i}`);
    up = b.leakyRelu(`conv_up${i}.lrelu`, wide, 0.2);
  }
  const hr = b.leakyRelu('conv_hr', conv('hr', up, 'conv_hr'), 0.2);
  return conv('last', hr, 'conv_last', channels);
}

/** Recognises the upsampler in a file. Returns null if it is not one of those in `Upsampler`. */
export function upsamplerOf(
  outline: Outline,
  channels: number,
): { upsampler: Upsampler; scale: number; upsamplerFeatures?: number } | null {
  const upsamplerFeatures = shapeOf(outline, 'conv_before_upsample.0.weight', 4)?.[0];
  if (outline.has('conv_up1.weight')) {
    let doublings = 1;
    while (outline.has(`conv_up${doublings + 1}.weight`)) doublings++;
    return {
      upsampler: 'nearest+conv',
      scale: 2 ** doublings,
      ...(upsamplerFeatures !== undefined && { upsamplerFeatures }),
    };
  }
  if (upsamplerFeatures !== undefined) {
    const scale = shuffleScale(outline, 'upsample.');
    return scale === null ? null : { upsampler: 'pixelshuffle', scale, upsamplerFeatures };
  }
  const direct = shapeOf(outline, 'upsample.0.weight', 4);
  if (direct) {
    const found = shuffled(direct[0], channels);
    return found?.outputChannels === channels
      ? { upsampler: 'pixelshuffledirect', scale: found.scale }
      : null;
  }
  return outline.has('conv_last.weight') ? { upsampler: 'none', scale: 1 } : null;
}
