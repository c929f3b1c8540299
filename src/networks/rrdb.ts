import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import { countBlocks, indices, type Match, type Outline, renamed, shapeOf } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';

/** The configuration of an RRDBNet. The defaults are ESRGAN's. */
export interface RrdbConfig {
  /** The factor by which the whole network enlarges: `stage^n / unshuffle` with n stages. */
  readonly scale: number;
  /** The factor of the pixel unshuffle at the start: 1, 2 or 4. */
  readonly unshuffle?: number;
  readonly features?: number;
  /** The number of channels that each dense convolution adds (the growth). */
  readonly growth?: number;
  /** The number of residual-in-residual dense blocks. */
  readonly blocks?: number;
  /** Whether a 1x1 convolution runs in parallel with the dense convolutions, as in ESRGAN+. */
  readonly plus?: boolean;
  /**
   * The enlargement factor of each upsampling stage. It is 3 in some old networks with a single
   * stage, and 2 (the default) in all other networks.
   */
  readonly stage?: 2 | 3;
  readonly channels?: number;
  readonly outputChannels?: number;
  readonly inputRange?: number;
}

const SLOPE = 0.2;
/** The factor by which each residual is multiplied. */
const FACTOR = 0.2;

/**
 * Builds an RRDBNet, the generator of ESRGAN, Real-ESRGAN and most community models.
 *
 * Sources: Wang et al., "ESRGAN", arXiv 1809.00219, section 3.1; for pixel unshuffle, Real-ESRGAN,
 * arXiv 2107.10833; for the 1x1 convolution, ESRGAN+, arXiv 2001.08073. The layers have the names
 * that BasicSR uses. Other naming styles are converted when a checkpoint is read. The nodes have
 * the same names as the tensors in the golden files (stored outputs of the authors' code), so that
 * tests can compare them.
 */
export function rrdb(config: RrdbConfig): Network {
  const { scale, unshuffle = 1, features = 64, growth = 32, blocks = 23 } = config;
  const { plus = false, stage = 2, channels = 3, outputChannels = channels } = config;
  const { inputRange = 1 } = config;
  const b = new GraphBuilder();
  const conv = convolutions(b, features);
  const lrelu = (name: string, x: NodeId): NodeId => b.leakyRelu(name, x, SLOPE);

  const input = b.input('input', channels);
  const cells =
    unshuffle === 1
      ? input
      : new TransformerBuilder(b).pixelUnshuffle('unshuffled', input, unshuffle);
  const head = conv('conv_first', cells, 'conv_first');
  let x = head;
  for (let i = 0; i < blocks; i++) {
    const start = x;
    let y = x;
    for (let r = 1; r <= 3; r++) {
      y = denseBlock(b, y, `block${i}.rdb${r}`, `body.${i}.rdb${r}`, growth, plus);
    }
    x = b.add(`block${i}`, start, y, FACTOR);
  }
  x = b.add('trunk_sum', head, conv('conv_body', x, 'conv_body'));

  const stages = Math.round(Math.log(scale * unshuffle) / Math.log(stage));
  for (let i = 1; i <= stages; i++) {
    const enlarged = b.nearest(`up${i}.nearest`, x, stage);
    x = lrelu(`up${i}_lrelu`, conv(`up${i}_before_act`, enlarged, `conv_up${i}`));
  }
  x = lrelu('hr_lrelu', conv('hr_before_act', x, 'conv_hr'));
  const output = conv('output', x, 'conv_last', outputChannels);
  return { architecture: 'esrgan', scale, inputRange, graph: b.build(output) };
}

/**
 * Appends `z + 0.2 * x5`, where `x5` is the result of the fifth convolution. Each convolution reads
 * `z` and all earlier results.
 */
function denseBlock(
  b: GraphBuilder,
  z: NodeId,
  name: string,
  layer: string,
  growth: number,
  plus: boolean,
): NodeId {
  const { channels } = b.map(z);
  const conv = convolutions(b, growth);
  const seen = [z];
  for (let c = 1; c <= 4; c++) {
    const from = seen.length === 1 ? z : b.concat(`${name}.seen${c}`, seen);
    const raw = conv(`${name}.conv${c}`, from, `${layer}.conv${c}`);
    let x = b.leakyRelu(`${name}.x${c}`, raw, SLOPE);
    if (plus && c === 2) {
      const side = b.conv(`${name}.side`, z, {
        layer: `${layer}.conv1x1`,
        kernel: 1,
        cOut: growth,
        bias: false,
      });
      x = b.add(`${name}.x2_plus`, x, side);
    } else if (plus && c === 4) x = b.add(`${name}.x4_plus`, x, seen[2]);
    seen.push(x);
  }
  const all = b.concat(`${name}.seen5`, seen);
  return b.add(name, z, conv(`${name}.conv5`, all, `${layer}.conv5`, channels), FACTOR);
}

/** Converts a name to BasicSR's style. Returns null for a name that belongs to no layer. */
type Renaming = (name: string) => string | null;

/** Recognises an RRDBNet in any of the three naming styles that `renamingOf` knows. */
export function matchRrdb(outline: Outline): Match | null {
  const rename = renamingOf(outline);
  if (rename === null) return null;
  const layers = renamed(outline, rename);
  const head = shapeOf(layers, 'conv_first.weight', 4);
  const dense = shapeOf(layers, 'body.0.rdb1.conv1.weight', 4);
  const last = shapeOf(layers, 'conv_last.weight', 4);
  if (!head || !dense || !last) return null;
  const [features, taken] = head;
  const [outputChannels] = last;
  // If there are 4 or 16 times as many input channels as output channels, the network is assumed to
  // begin with a pixel unshuffle by 2 or 4, respectively.
  const unshuffle = [2, 4].find((u) => taken === outputChannels * u ** 2) ?? 1;
  const stages = countBlocks(layers, 'conv_up#.', 1);
  const old = outline.has('model.0.weight');
  const scale = 2 ** stages / unshuffle;
  const config = {
    unshuffle,
    features,
    outputChannels,
    growth: dense[0],
    blocks: countBlocks(layers, 'body.#.rdb1.'),
    plus: layers.has('body.0.rdb1.conv1x1.weight'),
    channels: taken / unshuffle ** 2,
  };
  return {
    // An old network with one stage enlarges by 2 or, rarely, by 3. The shapes of its weights are
    // the same in both cases.
    scales: old && stages === 1 ? [2, 3] : [scale],
    inputRange: 1,
    build: ({ scale: chosen, inputRange }) =>
      rrdb({ ...config, scale: chosen, stage: chosen === 3 ? 3 : 2, inputRange }),
    prepare: (tensors) => renamed(tensors, rename),
  };
}

function renamingOf(outline: Outline): Renaming | null {
  if (outline.has('model.1.sub.0.RDB1.conv1.0.weight')) return oldNames(outline);
  if (outline.has('RRDB_trunk.0.RDB1.conv1.weight')) return trunkName;
  return outline.has('body.0.rdb1.conv1.weight') ? (name) => name : null;
}

/**
 * Converts a name to BasicSR's style. The given name is in the style that BSRGAN, RealSR and the
 * released ESRGAN code use.
 */
function trunkName(name: string): string {
  return name
    .replace(/^RRDB_trunk\.(\d+)\.RDB(\d)\./, 'body.$1.rdb$2.')
    .replace(/^trunk_conv\./, 'conv_body.')
    .replace(/^upconv(\d)\./, 'conv_up$1.')
    .replace(/^HRconv\./, 'conv_hr.');
}

/**
 * Returns the renaming for the oldest ESRGAN code, in which names are indices in a sequence. The
 * layers after the trunk are identified by their order.
 */
function oldNames(outline: Outline): Renaming {
  const places = indices(outline, 'model.#.weight').filter((place) => place > 1);
  const tail = new Map(
    places.map((place, i) => {
      const fromEnd = places.length - i;
      return [place, fromEnd === 1 ? 'conv_last' : fromEnd === 2 ? 'conv_hr' : `conv_up${i + 1}`];
    }),
  );
  return (name) => {
    const dense = /^model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d)\.0\.(weight|bias)$/.exec(name);
    if (dense) return `body.${dense[1]}.rdb${dense[2]}.${dense[3]}.${dense[4]}`;
    const side = /^model\.1\.sub\.(\d+)\.RDB(\d)\.conv1x1\.weight$/.exec(name);
    if (side) return `body.${side[1]}.rdb${side[2]}.conv1x1.weight`;
    const trunk = /^model\.1\.sub\.\d+\.(weight|bias)$/.exec(name);
    if (trunk) return `conv_body.${trunk[1]}`;
    const [, place, part] = /^model\.(\d+)\.(weight|bias)$/.exec(name) ?? [];
    if (place === undefined) return null;
    const layer = place === '0' ? 'conv_first' : tail.get(Number(place));
    return layer === undefined ? null : `${layer}.${part}`;
  };
}
