/**
 * Golden cases for transformers and for some convolutional networks. The weights are stored in the
 * golden file or in a separate file, or they are pseudorandom numbers that are computed from the
 * tensors' names and a seed.
 */
import { dirname, join } from 'node:path';
import type { WeightSpec } from '../graph/graph.ts';
import { asid } from '../networks/asid.ts';
import { dat } from '../networks/dat.ts';
import { type MosrConfig, meanOfGroups, mosr } from '../networks/mosr.ts';
import type { Network } from '../networks/network.ts';
import { omnisr } from '../networks/omnisr.ts';
import { arrangeCugan } from '../networks/parts/arrangeCugan.ts';
import { foldDat } from '../networks/parts/foldDat.ts';
import { DIV2K_MEAN } from '../networks/parts/mean.ts';
import type { Upsampler } from '../networks/parts/swin.ts';
import { type PlksrConfig, plksr } from '../networks/plksr.ts';
import { rcan } from '../networks/rcan.ts';
import { realcugan } from '../networks/realcugan.ts';
import { type SwinConfig, srformer, swinir } from '../networks/swinir.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { GoldenCase } from './golden-case.ts';
import { cuganCheckpoint, cuganStarts } from './golden-cugan.ts';
import { datCheckpoint } from './golden-dat.ts';
import { expectedOf, type GoldenFile, readGoldenFile } from './golden-file.ts';
import { recipe2 } from './golden-hash.ts';

/** The side lengths of the two kernels in each PLKSR channel mixer, by mixer name. */
const MIXERS: Readonly<Record<string, NonNullable<PlksrConfig['mixer']>>> = {
  CCM: [3, 1],
  DCCM: [3, 3],
  ICCM: [1, 3],
};

const plksrOf =
  (norm: PlksrConfig['norm'] | null) =>
  ({ metadata, number }: GoldenFile) =>
    plksr({
      scale: number('scale'),
      features: number('dim'),
      blocks: number('blocks'),
      kernel: number('kernel_size'),
      partial: number('large_kernel_channels'),
      attention: metadata.use_ea === 'true',
      norm: norm ?? (metadata.layer_norm === 'true' ? 'layer' : 'group'),
      mixer: MIXERS[metadata.ccm_type ?? 'DCCM'] ?? [3, 3],
      sampling: metadata.dysample === 'true' ? number('dysample_groups') : null,
      folded: false,
    });

const BUILDERS: Readonly<Record<string, (file: GoldenFile) => Network>> = {
  asid: ({ metadata, number }) =>
    asid({
      scale: number('scale'),
      features: number('num_feat'),
      blocks: number('blocks'),
      // If the golden input is already in the range -1..1, the network must not convert its input
      // from 0..1 to that range.
      centred: metadata.input_range !== '-1..1',
    }),
  dat: ({ metadata, number }) =>
    dat({
      scale: number('scale'),
      features: number('embed_dim'),
      depths: JSON.parse(metadata.depth),
      heads: JSON.parse(metadata.num_heads)[0],
      split: JSON.parse(metadata.split_size),
      ratio: number('expansion_factor'),
      threeConvs: metadata.resi_connection === '3conv',
      upsampler: metadata.upsampler as Upsampler,
      upsamplerFeatures: Number(metadata.num_feat ?? 64),
    }),
  omnisr: ({ metadata, number }) =>
    omnisr({
      scale: number('scale'),
      features: number('num_feat'),
      groups: number('groups'),
      blocks: number('blocks'),
      window: number('window_size'),
      heads: number('heads'),
      positions: metadata.pe === 'true',
    }),
  swinir: (file) => swinir(swinOf(file)),
  srformer: (file) => srformer(swinOf(file)),
  rcan: ({ metadata, number }) =>
    rcan({
      scale: number('scale'),
      unshuffle: number('unshuffle'),
      features: number('num_feat'),
      groups: number('groups'),
      blocks: number('blocks'),
      reduction: number('reduction'),
      residualScale: number('res_scale'),
      imageRange: number('internal_range'),
      mean: metadata.norm === 'true' ? DIV2K_MEAN : null,
    }),
  realcugan: ({ metadata, number }) =>
    realcugan({ scale: number('scale'), pro: metadata.pro === 'true' }),
  mosr: ({ metadata, number }) => {
    const features = number('dim');
    return mosr({
      scale: number('scale'),
      features,
      blocks: number('blocks'),
      kernel: number('kernel_size') as NonNullable<MosrConfig['kernel']>,
      hidden: features * number('expansion_ratio'),
      local: features * number('conv_ratio'),
      upsampler: metadata.upsampler as NonNullable<MosrConfig['upsampler']>,
      folded: false,
    });
  },
  realplksr: plksrOf(null),
  plksr: plksrOf('none'),
};

function swinOf({ metadata, number }: GoldenFile): SwinConfig {
  return {
    scale: number('scale'),
    features: number('embed_dim'),
    window: number('window_size'),
    channels: Number(metadata.in_chans ?? 3),
    depths: JSON.parse(metadata.depths),
    heads: JSON.parse(metadata.num_heads),
    ratio: number('mlp_ratio'),
    threeConvs: metadata.resi_connection === '3conv',
    upsampler: metadata.upsampler as Upsampler,
    upsamplerFeatures: number('num_feat'),
    imageRange: Number(metadata.img_range ?? 1),
  };
}

/**
 * Matches the names of golden tensors that occur only in cases with tiles, such as the tiles'
 * positions. They are not compared, because no node computes them.
 */
const NOT_COMPARED = /^(coverage|tile_positions|tile_means|tile.*\.output\.crop|whole\.output)$/;

/**
 * Matches the names of golden tensors that contain the input of a network's last step. If this step
 * would change nothing (for example, a pixel shuffle by 1), the graph omits it. In that case, no
 * node has the tensor's name, so the tensor is not compared.
 */
const BEFORE_END = /^(before_shuffle|tail_conv)$/;

/**
 * Returns Crispen's name for a golden tensor. It is the name of a node, of a part of a node's
 * result, or of a weight that Crispen computes from the file's weights.
 */
const ownName = (tensor: string): string =>
  tensor
    .replace(/^(g\d+\.b\d+)\.se$/, '$1.mbconv.se')
    .replace(/\.spatial_map$/, '.spatial_map.first1')
    .replace(/^(unet1\.conv2)\.se\.(first\d)$/, '$1.$2')
    .replace(/^l(\d+)\.b(\d+)\.pos(\d)$/, 'folded.layers.$1.blocks.$2.attn.attns.$3.table');

/**
 * Returns the golden cases in a file, or null if the file has no input or its network is not in
 * `BUILDERS`.
 */
export async function transformerCases(file: GoldenFile): Promise<GoldenCase[] | null> {
  const { name, tensors, metadata, number } = file;
  const build = BUILDERS[metadata.model ?? ''];
  const input = tensors.get('input');
  if (!build || !input) return null;
  const network = build(file);
  const names = new Set(network.graph.nodes.map((node) => node.name));
  const expected = new Map(
    [...expectedOf(tensors, NOT_COMPARED)]
      .filter(([tensor]) => names.has(tensor) || !BEFORE_END.test(tensor))
      .map(([tensor, value]) => [ownName(tensor), value]),
  );
  // The authors' code stores a vector as a map with a single pixel.
  for (const { name, shape } of network.graph.nodes) {
    const tensor = expected.get(name);
    if (tensor && shape.kind === 'vector') {
      expected.set(name, { ...tensor, shape: tensor.shape.slice(0, 2) });
    }
  }
  const stored = await weightsOf(file, network);
  const weights = network.architecture === 'mosr' ? meanOfGroups(stored) : stored;
  const starts = network.architecture === 'realcugan' ? cuganStarts(network) : undefined;
  if (metadata.tile === undefined) return [{ name, network, weights, input, expected, starts }];
  const tiles = { side: number('tile'), overlap: number('overlap') };
  return [{ name, network, weights, input, expected, tiles }];
}

async function weightsOf(file: GoldenFile, network: Network): Promise<TensorMap> {
  const { path, metadata, number, inside } = file;
  const { weights_in: other, gains = '[]', model } = metadata;
  const { weights } = network.graph;
  const computed = (stored: readonly WeightSpec[]) =>
    recipe2(stored, number('seed'), JSON.parse(gains));
  if (model === 'dat') {
    const own = inside.size > 0 ? inside : computed(datCheckpoint(weights, number('embed_dim')));
    return foldDat(own, JSON.parse(metadata.split_size));
  }
  if (model === 'realcugan') return arrangeCugan(computed(cuganCheckpoint(network)));
  if (inside.size > 0) return inside;
  if (other === undefined) return computed(weights);
  return (await readGoldenFile(join(dirname(path), other))).inside;
}
