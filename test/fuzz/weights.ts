/** Creates weight files to mutate. */
import { readFileSync } from 'node:fs';
import { readWeights } from '../../src/weights/read.ts';
import { ZipArchive } from '../../src/weights/torch/zip.ts';
import { writeSafetensors } from '../../src/weights/writeSafetensors.ts';
import { zip } from '../checkpoints/forge.ts';

const MIB = 2 ** 20;

/** Pickle code that a hostile file could contain anywhere. */
export const PICKLE_CODE = [
  'cos\nsystem\n(X\x02\x00\x00\x00idtR',
  'cbuiltins\neval\n',
  'X\xff\xff\xff\x7f',
  '\x8d\xff\xff\xff\xff\xff\xff\xff\x7f',
  '\x8b\xff\xff\xff\x7f',
  '}q\x00h\x00h\x00s',
  ']q\x00h\x00a',
  'r\xff\xff\xff\xff',
  '(((((((((((((((',
  '\x85\x85\x85\x85\x85\x85\x85\x85',
  '\x82\x01',
  'Q',
  'R',
  'b',
  '.',
].map((code) => new Uint8Array(Buffer.from(code, 'latin1')));

export function load(name: string): Uint8Array {
  const file = readFileSync(new URL(`../checkpoints/${name}`, import.meta.url));
  return new Uint8Array(file);
}

async function deflated(name: string): Promise<Uint8Array> {
  const archive = new ZipArchive(load(name), MIB);
  const entries = [...archive.names()].map(async (entry) => {
    return { name: entry, data: await archive.read(entry), deflate: true };
  });
  return zip(await Promise.all(entries));
}

/**
 * Changes the pickle in an archive and corrects its checksum, so that the pickle reader runs on it.
 */
export async function repack(bytes: Uint8Array, mutate: (pickle: Uint8Array) => Uint8Array) {
  const archive = new ZipArchive(bytes, MIB);
  const entries = [...archive.names()].map(async (name) => {
    const data = await archive.read(name);
    return { name, data: name.endsWith('.pkl') ? mutate(data.slice()) : data };
  });
  return zip(await Promise.all(entries));
}

export interface WeightSeed {
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  readonly bytes: Uint8Array;
  /**
   * `sealed`: checksums cover the whole file. `resealed`: only the pickle changes, and its checksum
   * is corrected.
   */
  readonly zip?: 'sealed' | 'resealed';
}

export async function weightSeeds(): Promise<readonly WeightSeed[]> {
  const { tensors } = await readWeights(load('compact_x1_plain_half_zip.pth'));
  const zipped = (bytes: Uint8Array, zip: 'sealed' | 'resealed') =>
    ({ format: 'torch-zip', bytes, zip }) as const;
  const legacy = (name: string) => ({ format: 'torch-legacy', bytes: load(name) }) as const;
  return [
    zipped(load('compact_x1_plain_half_zip.pth'), 'sealed'),
    zipped(load('compact_x2_params_views_zip.pth'), 'sealed'),
    zipped(await deflated('compact_x3_params_bf16_zip.pth'), 'sealed'),
    zipped(load('compact_x1_plain_half_zip.pth'), 'resealed'),
    zipped(load('edsr_x3_model_state_dict_parameters_zip.pt'), 'resealed'),
    legacy('compact_x2_params_views_legacy.pth'),
    legacy('compact_x2_params_and_ema_legacy.pth'),
    legacy('compact_x2_orig_mod_legacy.pth'),
    { format: 'safetensors', bytes: writeSafetensors(tensors, { origin: 'fuzz' }) },
  ];
}
