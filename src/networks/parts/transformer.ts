/** The blocks that the lightweight transformers ASID and OmniSR share. */
import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { TransformerBuilder } from '../../graph/transformer.ts';
import type { Grouping } from '../../graph/transformerOp.ts';
import { convolutions } from './conv.ts';

/**
 * Appends an inverted residual block with channel weights:
 *   x + project(u * sigmoid(expand(silu(reduce(mean(u)))))),  u = gelu(depthwise(gelu(first(x))))
 *
 * `name` is the name of its output node. The node that computes the channel weights has this name
 * with the suffix `.se`. The names of the layers start with `layer`.
 */
export function localBlock(b: GraphBuilder, name: string, x: NodeId, layer: string): NodeId {
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const conv = convolutions(b, channels);
  const active = b.gelu(`${name}.gelu1`, conv(`${name}.first`, x, `${layer}.0`, channels, 1));
  const depthwise = { layer: `${layer}.2`, kernel: 3, bias: true } as const;
  const u = b.gelu(`${name}.gelu2`, t.depthwise(`${name}.depthwise`, active, depthwise));
  const mean = b.globalAveragePool(`${name}.pooled`, u);
  const reduce = { layer: `${layer}.4.gate.1`, lengthOut: Math.floor(channels / 4) };
  const silu = { fn: 'silu' } as const;
  const inner = b.activation(`${name}.silu`, b.linear(`${name}.reduce`, mean, reduce), silu);
  const expand = { layer: `${layer}.4.gate.3`, lengthOut: channels };
  const weights = b.sigmoid(`${name}.se`, b.linear(`${name}.expand`, inner, expand));
  const scaled = t.scaleChannels(`${name}.scaled`, u, weights);
  return b.add(name, x, conv(`${name}.project`, scaled, `${layer}.5`, channels, 1));
}

/**
 * Appends attention between channels: `project_out(attention(dwconv(qkv(norm(x)))))`. `output` is
 * the name of the result's node. The names of the other nodes start with `name`.
 */
export function channelAttention(
  b: GraphBuilder,
  x: NodeId,
  spec: Readonly<Record<'name' | 'output' | 'norm' | 'layer', string>> & {
    readonly grouping: Grouping;
    readonly heads: number;
  },
): NodeId {
  const { name, output, norm, layer, grouping, heads } = spec;
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const plain = { kernel: 1, bias: false } as const;
  const normed = t.layerNorm(`${name}.norm`, x, norm, 1e-6);
  const wide = { ...plain, layer: `${layer}.qkv`, cOut: 3 * channels };
  const depthwise = { layer: `${layer}.qkv_dwconv`, kernel: 3, bias: false } as const;
  const qkv = b.conv(`${name}.qkv`, normed, wide);
  const local = t.depthwise(`${name}.qkv_dwconv`, qkv, depthwise);
  const sizes = { grouping, heads, temperature: `${layer}.temperature` };
  const attended = t.channelAttention(`${name}.attended`, local, sizes);
  return b.conv(output, attended, { ...plain, layer: `${layer}.project_out`, cOut: channels });
}

/**
 * Appends a gated feed-forward layer: `x + project_out(gelu(u) * v)`, where `u` and `v` are the
 * halves of `dwconv(project_in(norm(x)))`. Only the norm has a bias.
 */
export function feedForward(
  b: GraphBuilder,
  name: string,
  x: NodeId,
  norm: string,
  layer: string,
): NodeId {
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const plain = { kernel: 1, bias: false } as const;
  const normed = t.layerNorm(`${name}.cnorm`, x, norm, 1e-6);
  const widen = { ...plain, layer: `${layer}.project_in`, cOut: 2 * channels };
  const wide = b.conv(`${name}.project_in`, normed, widen);
  const depthwise = { layer: `${layer}.dwconv`, kernel: 3, bias: false } as const;
  const local = t.depthwise(`${name}.dwconv`, wide, depthwise);
  const gate = b.gelu(`${name}.gelu`, t.slice(`${name}.gate`, local, 0, channels));
  const gated = b.mul(`${name}.gated`, gate, t.slice(`${name}.value`, local, channels, channels));
  const narrow = { ...plain, layer: `${layer}.project_out`, cOut: channels };
  return b.add(name, x, b.conv(`${name}.project_out`, gated, narrow));
}

/**
 * Appends ESA (enhanced spatial attention), a gate:
 *   x * sigmoid(conv4(resize(conv3(pool(conv2(a)))) + conv_f(a))),  a = conv1(x)
 * `conv2` and `pool` reduce the map to about a sixth of its width and height.
 */
export function spatialGate(b: GraphBuilder, name: string, x: NodeId, layer: string): NodeId {
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const cOut = Math.max(Math.floor(channels / 4), 16);
  const conv = convolutions(b, cOut);
  const a = conv(`${name}.conv1`, x, `${layer}.conv1`, cOut, 1);
  const strided = { layer: `${layer}.conv2`, cOut, kernel: 3, stride: 2 };
  const pooled = t.maxPool(`${name}.pool`, t.stridedConv(`${name}.conv2`, a, strided), 7, 3);
  const small = conv(`${name}.conv3`, pooled, `${layer}.conv3`);
  const large = t.resize(`${name}.resize`, small, a);
  const direct = conv(`${name}.conv_f`, a, `${layer}.conv_f`, cOut, 1);
  const sum = b.add(`${name}.sum`, large, direct);
  const gate = b.sigmoid(`${name}.gate`, conv(`${name}.conv4`, sum, `${layer}.conv4`, channels, 1));
  return b.mul(name, x, gate);
}
