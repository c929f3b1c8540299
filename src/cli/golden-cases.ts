import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { PlanarInput } from '../engine/oracle/trace.ts';
import { type AveragedTiles, meanOfTiles } from '../engine/tile/average.ts';
import type { TracedTensor } from '../engine/types.ts';
import { CrispenError } from '../errors.ts';
import { type DetectOptions, detect } from '../networks/detect.ts';
import type { Network } from '../networks/network.ts';
import { createNetwork, isArchitecture, type NetworkConfigs } from '../networks/registry.ts';
import type { Backend } from '../node/backend.ts';
import { PACKAGE_ROOT } from '../node/model.ts';
import { toFloat32 } from '../weights/convert.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import { elementCount, type Tensor, type TensorMap } from '../weights/tensor.ts';
import { attentionCases } from './golden-attention.ts';
import type { GoldenCase } from './golden-case.ts';
import { EXTENSION, expectedOf, type GoldenFile, readGoldenFile } from './golden-file.ts';
import { glaCases } from './golden-gla.ts';
import { transformerCases } from './golden-transformer.ts';
import { cut, viewOf } from './golden-views.ts';

/** The largest allowed error, relative to the largest magnitude in the golden tensor. */
export const GOLDEN_TOLERANCE = 2e-4;

/**
 * The name that reports show for the output of the second run (see `compareGolden`). An op whose
 * result is read back cannot be fused with the next op. The second run reads back only the output,
 * so it can use all fused kernels.
 */
export const FUSED_OUTPUT = 'output (fused)';

/**
 * The prefix of golden tensors that contain folded weights. The authors' code computed these from a
 * checkpoint's weights, for example by folding several convolutions into one.
 */
const FOLDED = 'folded.';

/**
 * Returns the folder for files that are kept out of the repository because of their size or their
 * licence.
 */
export function sharedFolder(): string {
  return process.env.CRISPEN_SHARED ?? resolve(PACKAGE_ROOT, '../shared');
}

/** The folder in the repository that contains golden files. */
export const SEEDED_GOLDENS = join(PACKAGE_ROOT, 'test/golden');

/**
 * Searches the repository and the shared folder for golden files whose names match a pattern, which
 * can contain `*` and `?`. Returns their paths, sorted by name. If several folders contain a file
 * with the same name, only the first one is returned.
 */
export function findGoldenCases(pattern = '*'): string[] {
  const expression = new RegExp(
    `^${pattern
      .replace(/\.safetensors$/, '')
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
  const cases = new Map<string, string>();
  const shared = ['golden', 'golden2'].map((folder) => join(sharedFolder(), folder));
  for (const folder of [SEEDED_GOLDENS, ...shared]) {
    for (const file of existsSync(folder) ? readdirSync(folder) : []) {
      const name = basename(file, EXTENSION);
      if (!file.endsWith(EXTENSION) || cases.has(name) || !expression.test(name)) continue;
      cases.set(name, join(folder, file));
    }
  }
  return [...cases.keys()].sort().map((name) => cases.get(name)!);
}

/** A golden file whose network Crispen does not support. */
interface Missing {
  readonly name: string;
  /** The name of the network. */
  readonly missing: string;
}

/**
 * Reads a golden file that contains one case.
 * @throws CrispenError `MODEL_CORRUPT` or `INVALID_INPUT` if the file or its weights cannot be
 *   used.
 */
export async function readGoldenCase(path: string): Promise<GoldenCase | Missing> {
  return onlyCase(await readGoldenFile(path));
}

/** Like `readGoldenCase`, but for files that can contain several cases. */
export async function readGoldenCases(path: string): Promise<readonly GoldenCase[] | Missing> {
  const file = await readGoldenFile(path);
  const cases = attentionCases(file) ?? glaCases(file) ?? (await transformerCases(file));
  if (cases) return cases;
  const golden = await onlyCase(file);
  return 'missing' in golden ? golden : [golden];
}

async function onlyCase(file: GoldenFile): Promise<GoldenCase | Missing> {
  const { name, tensors, metadata } = file;
  const found = networkOf(file);
  if (found === null) {
    const { model, arch, module } = metadata;
    return { name, missing: model ?? arch ?? module ?? 'unnamed network' };
  }
  const input = tensors.get('input');
  if (!input) throw new CrispenError('INVALID_INPUT', `${name} has no tensor called "input".`);
  const { network } = found;
  const weights = found.weights ?? (await goldenWeights(network, file));
  return { name, network, weights, input, expected: expectedOf(tensors) };
}

/**
 * Returns a case's network. If the network was detected from its weights, the weights are returned
 * too.
 */
function networkOf({
  metadata,
  inside,
}: GoldenFile): { network: Network; weights?: TensorMap } | null {
  if (metadata.arch !== undefined && DETECTED.has(metadata.arch)) {
    return detect(inside, notInTheWeights(metadata));
  }
  const network = knownNetwork(metadata);
  return network && { network };
}

type Metadata = GoldenFile['metadata'];

/**
 * If a golden file's `arch` is one of these, the network is detected from the weights, as it is for
 * a user's weight file.
 */
const DETECTED: ReadonlySet<string> = new Set(['compact', 'span', 'rrdb', 'edsr']);

const numberIn = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

const rangeIn = ({ input_range: range }: Metadata): number => (range === '0..255' ? 255 : 1);

/**
 * Returns the options for `detect` that cannot be determined from the weights. They come from the
 * golden file's metadata.
 */
function notInTheWeights(metadata: Metadata): DetectOptions {
  const { act } = metadata;
  return {
    activation: act === 'relu' || act === 'leakyrelu' ? act : undefined,
    residualScale: numberIn(metadata.res_scale),
    imageRange: numberIn(metadata.img_range),
    inputRange: rangeIn(metadata),
  };
}

/** Returns the network that the metadata describes, or null if Crispen does not support it. */
function knownNetwork(metadata: Metadata): Network | null {
  const { model: name = '' } = metadata;
  if (!isArchitecture(name)) return null;
  const config = {
    scale: numberIn(metadata.scale),
    features: numberIn(metadata.nf),
    upsamplerFeatures: numberIn(metadata.unf),
    blocks: numberIn(metadata.nb),
    reduction: numberIn(metadata.reduction),
    inputRange: rangeIn(metadata),
  };
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  return createNetwork(name, Object.fromEntries(given) as unknown as NetworkConfigs['a2n']);
}

/**
 * Returns a case's weights. They are read from the golden file itself, from the file that its
 * metadata names, or from the authors' weight file.
 */
async function goldenWeights(
  network: Network,
  { inside, metadata }: GoldenFile,
): Promise<TensorMap> {
  if (inside.size > 0) return inside;
  const named = /\bfile (\S+\.safetensors)/.exec(metadata.weights ?? '')?.[1];
  const file = named
    ? basename(named)
    : `${network.architecture}_x${network.scale}_f32${EXTENSION}`;
  const path = join(sharedFolder(), 'weights/official', file);
  if (!existsSync(path)) {
    throw new CrispenError('INVALID_INPUT', `The weights of the case, ${file}, are missing.`, {
      hint: 'Set CRISPEN_SHARED to the folder that holds golden/ and weights/.',
    });
  }
  return readSafetensors(await readFile(path)).tensors;
}

/** The result of comparing a golden tensor with the tensor that Crispen computed. */
export interface TensorComparison {
  readonly case: string;
  readonly tensor: string;
  /** The golden tensor's shape without the batch dimension. */
  readonly shape: readonly number[];
  /** The largest absolute error; NaN if a value is not finite or if nothing could be compared. */
  readonly maxAbs: number;
  /** `maxAbs` relative to the largest magnitude in the golden tensor. */
  readonly maxRel: number;
  /**
   * The reason why nothing was compared, or a message that a value is not finite. Null if there is
   * no problem.
   */
  readonly error: string | null;
}

/** Runs a case's network once and returns the tensors that are named in `taps`. */
type Run = (
  input: PlanarInput,
  taps: readonly string[],
) => Promise<ReadonlyMap<string, TracedTensor>>;

/**
 * Runs a case and compares every golden tensor. If `fuse` is set, the case runs a second time to
 * test the fused kernels. This run reads back only the output, and the output's comparison is named
 * `FUSED_OUTPUT`. For a case with `tiles`, only the averaged output is compared.
 */
export async function compareGolden(
  golden: GoldenCase,
  backend: Pick<Backend, 'trace'>,
  options: { readonly fuse: boolean },
): Promise<TensorComparison[]> {
  const { network, weights, input, expected } = golden;
  const fuse = options.fuse ? 'blocks' : 'none';
  const run: Run = (planar, taps) => backend.trace(network, weights, planar, taps, { fuse });

  if (golden.tiles) return [await compareTiles(golden, golden.tiles, run)];
  const [, , height, width] = input.shape;
  const planar = { width, height, data: toFloat32(input) };
  const nodes = new Set(network.graph.nodes.map((node) => node.name));
  /** Returns the name of the node whose tensor is, or contains, the golden tensor `name`. */
  const nodeOf = (name: string) => (nodes.has(name) ? name : (viewOf(name)?.node ?? name));
  const taps = [...new Set([...expected.keys()].map(nodeOf))].filter((name) => nodes.has(name));
  const traced = await run(planar, taps);
  const comparisons = [...expected].map(([name, tensor]) => {
    if (name.startsWith(FOLDED)) return compareFolded(golden, name, tensor);
    const whole = partFrom(traced.get(nodeOf(name)), golden.starts?.get(nodeOf(name)), tensor);
    const view = nodes.has(name) ? null : viewOf(name);
    if (!view || !whole) return compareTensor(golden.name, name, tensor, whole);
    // Golden tensors with these names contain attention scores and have no batch dimension.
    const scores = /(group0|last_group|_head\d)$/.test(name);
    const own = scores ? tensor.shape : tensor.shape.slice(1);
    return compareTensor(golden.name, name, tensor, view.of(whole, own), own);
  });
  const output = expected.get('output');
  if (options.fuse && output) {
    const fused = await run(planar, ['output']);
    comparisons.push(compareTensor(golden.name, FUSED_OUTPUT, output, fused.get('output')));
  }
  return comparisons;
}

/**
 * Cuts out the part of a feature map that the golden tensor covers. The part begins at row `first`
 * and column `first`. If `first` is undefined, the golden tensor covers the whole map.
 */
function partFrom(
  map: TracedTensor | undefined,
  first: number | undefined,
  golden: Tensor,
): TracedTensor | undefined {
  if (!map || first === undefined) return map;
  const [height, width] = golden.shape.slice(-2);
  return cut(map, { x: first, y: first, width, height });
}

/**
 * Runs a network on overlapping tiles, averages the results, and compares the average with the
 * golden output.
 */
async function compareTiles(
  { name, network, input, expected }: GoldenCase,
  tiles: AveragedTiles,
  run: Run,
): Promise<TensorComparison> {
  const [, channels, height, width] = input.shape;
  const image = { channels, height, width, data: toFloat32(input) as Float32Array<ArrayBuffer> };
  const mean = await meanOfTiles(image, tiles, network.scale, async (tile) => {
    const traced = await run(tile, ['output']);
    const { shape, data } = traced.get('output') as TracedTensor;
    const [depth, rows, columns] = shape;
    return { channels: depth, height: rows, width: columns, data: Float32Array.from(data) };
  });
  const actual = { shape: [mean.channels, mean.height, mean.width], data: mean.data };
  return compareTensor(name, 'output (tiles)', expected.get('output') as Tensor, actual);
}

/**
 * Compares weights that Crispen folded (see `FOLDED`) with the golden weights, which the authors'
 * code folded.
 */
function compareFolded({ name, weights }: GoldenCase, tensor: string, golden: Tensor) {
  const layer = tensor.slice(FOLDED.length).replace(/\.(weight|bias)$/, '.eval_conv.$1');
  const folded = weights.get(layer);
  const actual = folded && { shape: folded.shape, data: toFloat32(folded) };
  return compareTensor(name, tensor, golden, actual, golden.shape);
}

function compareTensor(
  caseName: string,
  tensor: string,
  golden: Tensor,
  actual: TracedTensor | undefined,
  shape: readonly number[] = golden.shape.slice(1),
): TensorComparison {
  const failed = (error: string): TensorComparison => ({
    case: caseName,
    tensor,
    shape,
    maxAbs: Number.NaN,
    maxRel: Number.NaN,
    error,
  });
  if (!actual) return failed('not produced');
  if (actual.shape.join() !== shape.join() || actual.data.length !== elementCount(shape)) {
    return failed(`has the shape ${actual.shape.join(' x ')}`);
  }
  const expected = toFloat32(golden);
  let maxAbs = 0;
  let magnitude = 0;
  for (const [i, value] of expected.entries()) {
    if (!Number.isFinite(actual.data[i])) return failed(`is not finite at element ${i}`);
    maxAbs = Math.max(maxAbs, Math.abs(actual.data[i] - value));
    magnitude = Math.max(magnitude, Math.abs(value));
  }
  // If the golden tensor is zero everywhere, any error results in an infinite ratio.
  const maxRel = maxAbs === 0 ? 0 : maxAbs / magnitude;
  return { case: caseName, tensor, shape, maxAbs, maxRel, error: null };
}

/**
 * Returns whether a comparison has an error or exceeds the tolerance, in which case
 * `npm run golden` and the tests fail.
 */
export function isOff(comparison: TensorComparison, tolerance = GOLDEN_TOLERANCE): boolean {
  return comparison.error !== null || !(comparison.maxRel <= tolerance);
}
