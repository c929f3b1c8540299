/**
 * Small checkpoints for networks that were added later, and a manifest that describes them. They
 * are not in the repository.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { interpret } from '../src/engine/oracle/interpreter.ts';
import { type Detection, detect, recognise } from '../src/networks/detect.ts';
import { toFloat32 } from '../src/weights/convert.ts';
import { readWeights } from '../src/weights/read.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

export interface Checkpoint {
  readonly file: string;
  readonly golden: string;
  readonly arch: string;
  readonly scale: number;
  readonly config: Readonly<Record<string, unknown>>;
  /** How much the stored element type changes the output. */
  readonly expected_output_difference: number;
}

/** Returns the checkpoints for the given architectures, or none if the folder is missing. */
export function checkpointsOf(...architectures: readonly string[]): readonly Checkpoint[] {
  const manifest = join(folder, 'manifest.json');
  if (!existsSync(manifest)) return [];
  const all: readonly Checkpoint[] = JSON.parse(readFileSync(manifest, 'utf8'));
  return all.filter(({ arch, file }) => architectures.includes(arch) && !/decoy|nope/.test(file));
}

/** Detects a checkpoint under a file name that states the wrong scale. */
export async function detectRenamed({ file }: Checkpoint): Promise<Detection> {
  const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
  return detect(tensors, { name: 'renamed-x7.pth' });
}

/**
 * Returns the largest difference between a checkpoint's golden output and the output that plain
 * loops compute.
 */
export async function outputDifference(
  { golden }: Checkpoint,
  { network, weights }: Detection,
): Promise<number> {
  const path = join(shared, 'golden2', `${golden}.safetensors`);
  const { tensors } = readSafetensors(readFileSync(path));
  const [input, output] = [tensors.get('input'), tensors.get('output')];
  if (!input || !output) throw new Error(`${golden} has no input or output`);
  const [, , height, width] = input.shape;
  const { nodes, output: last } = network.graph;
  const { name } = nodes[last];
  const traced = await interpret(network, weights, { width, height, data: toFloat32(input) }, [
    name,
  ]);
  const got = traced.get(name);
  if (got?.shape.join() !== output.shape.slice(1).join()) throw new Error(`shape ${got?.shape}`);
  return toFloat32(output).reduce((most, v, i) => Math.max(most, Math.abs(v - got.data[i])), 0);
}
