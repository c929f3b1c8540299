import { CrispenError } from '../errors.ts';
import { defaultIn, findIn, type Kind, type ModelFile } from './find.ts';
import type { Restoration } from './task.ts';

export type { Kind, ModelFile };

/** Creates a model's entry. The values listed here are defaults, which `own` can override. */
const model = (
  own: Pick<ModelFile, 'id' | 'scale' | 'bytes' | 'sha256'> & Partial<ModelFile>,
): ModelFile => ({
  network: 'a2n',
  task: 'upscale',
  kind: 'clean',
  best: false,
  fast: false,
  inputRange: 255,
  f16: true,
  file: `${own.id}.safetensors`,
  ...own,
});

/**
 * The shipped weight files. `manifest.ts` adds each model's description, training and measured
 * quality.
 */
export const MODEL_FILES: readonly ModelFile[] = [
  model({
    id: 'a2n-x2',
    scale: 2,
    bytes: 2_091_422,
    sha256: 'c0214169ea4c6f3114b44dfe4092561d8c144b4a1aa343439b44a7a7e75c53b6',
  }),
  model({
    id: 'a2n-x3',
    scale: 3,
    best: true,
    bytes: 2_091_422,
    sha256: '510276c210d1b1090ae36ab43d6aebf44e3ded89061c272b130c007db387fb64',
  }),
  model({
    id: 'a2n-x4',
    scale: 4,
    f16: false,
    bytes: 2_114_006,
    sha256: '666c5eba1f301987aaf230b649eb1250af18bca310cc8522f0024116db7892e1',
  }),
  model({
    id: 'pan-x2',
    network: 'pan',
    scale: 2,
    // On Set5 and Set14, `a2n-x2` is 0.02 dB better. On repetitive pictures, it is 0.9 dB worse.
    best: true,
    fast: true,
    inputRange: 1,
    bytes: 537_558,
    sha256: '6fc4e46bc3463270fb0ade449f9ea6714af5232c2f0c7b2ec044c9fa96674a3c',
  }),
  model({
    id: 'pan-x3',
    network: 'pan',
    scale: 3,
    fast: true,
    inputRange: 1,
    bytes: 537_558,
    sha256: '6c7041685c7041a5f69bb33008aa44ff012ca6150ac3f89ce478b0a27722c4c3',
  }),
  model({
    id: 'pan-x4',
    network: 'pan',
    scale: 4,
    best: true,
    fast: true,
    inputRange: 1,
    bytes: 560_126,
    sha256: '780bf0116faa36125d56c1259d9bf7edcc4ea14c3645854a82740083219bdf10',
  }),
  model({
    id: 'a2n-photo-x2',
    scale: 2,
    kind: 'photo',
    best: true,
    bytes: 2_091_422,
    sha256: '43e7b0cdabdb100eaf8103d0d92bd76b538a1c4963984d821dfa7d8d80624169',
  }),
  model({
    id: 'a2n-photo-x4',
    scale: 4,
    kind: 'photo',
    best: true,
    bytes: 2_114_006,
    sha256: '97fe50f7897ca258a1a35c498587a8dd133aad80329f7011f1fc95917ec37ba3',
  }),
  model({
    id: 'pan-photo-x2',
    network: 'pan',
    scale: 2,
    kind: 'photo',
    fast: true,
    inputRange: 1,
    bytes: 537_558,
    sha256: '893c34f2b9bbdcc0f9f789cd046276e89e53230b7bee79c7288db4028ac2ed47',
  }),
  model({
    id: 'pan-photo-x3',
    network: 'pan',
    scale: 3,
    kind: 'photo',
    best: true,
    fast: true,
    inputRange: 1,
    bytes: 537_558,
    sha256: '93cd38536c9d9f104d6b16722e6e53b15741e184ae38c52f09937709f9100228',
  }),
  model({
    id: 'pan-photo-x4',
    network: 'pan',
    scale: 4,
    upsamplerFeatures: 16,
    kind: 'photo',
    fast: true,
    inputRange: 1,
    bytes: 535_278,
    sha256: '5c25b96ca583144fd3ee2d930d120a1bd105b2a90611894f73ecb78092f099c9',
  }),
  model({
    id: 'a2n-sharp-x2',
    scale: 2,
    kind: 'sharp',
    best: true,
    fast: true,
    f16: false,
    bytes: 2_091_422,
    sha256: '0b5feec2442cfbb6e2cfc54aca64ab075380fb3d35df8983f443383304b11326',
  }),
  model({
    id: 'a2n-sharp-x4',
    scale: 4,
    kind: 'sharp',
    best: true,
    fast: true,
    f16: false,
    bytes: 2_114_006,
    sha256: '74ee2abe9270aea7d9a6b4eb59777d502309e5e613c108278a5b517ece7cc90a',
  }),
  model({
    id: 'a2nm-x2',
    network: 'a2nm',
    scale: 2,
    f16: false,
    bytes: 1_681_782,
    sha256: 'af1c8cb4d042d2834a96b55acf8f021269be04f232a5d24d4876278bf10d910d',
  }),
  model({
    id: 'a2nm-x4',
    network: 'a2nm',
    scale: 4,
    f16: false,
    bytes: 1_704_366,
    sha256: '3a1a9665e3beb9024cf48f2f56ac9b686f2b52a76c320a600749c9c4c9356684',
  }),
  model({
    id: 'lcoan-x2',
    network: 'lcoan',
    scale: 2,
    features: 64,
    groups: 6,
    inputRange: 1,
    f16: false,
    bytes: 4_518_055,
    sha256: '161656e4af0b434443a9af36ef69d1add3b49ffeb9597a9737775b93ab1f6be1',
  }),
  model({
    id: 'acla-x2',
    network: 'edsr-acla',
    scale: 2,
    f16: false,
    bytes: 2_817_882,
    sha256: '21d691d077f560528f018a0e72fb153eb9955f252816cbb9a9dd1568de102321',
  }),
  model({
    id: 'asid-x2',
    network: 'asid',
    scale: 2,
    inputRange: 1,
    f16: false,
    bytes: 637_568,
    sha256: 'df9e82b954d0c0c3a3a89ac460b0a4dbbe3d685271b6999fced662e1b591ad9a',
  }),
  model({
    id: 'a2n-jpeg-x1',
    task: 'dejpeg',
    scale: 1,
    kind: null,
    blocks: 8,
    f16: false,
    bytes: 1_048_198,
    sha256: '3ae4a5b4a6f4451a303441838226931693ee60463067288c5218630d5bd3cfb5',
  }),
  model({
    id: 'a2n-denoise-x1',
    task: 'denoise',
    scale: 1,
    kind: null,
    blocks: 8,
    f16: false,
    bytes: 1_048_198,
    sha256: '5e64ef1cdbba7eb9bf7b0cd8cd7cd13ef68358ca47425f6fe05b79c19512d2cc',
  }),
  model({
    id: 'acla-denoise-x1',
    network: 'edsr-acla',
    task: 'denoise',
    scale: 1,
    kind: null,
    f16: false,
    bytes: 2_522_266,
    sha256: 'b2dabe2eb6925392d361abce505cba883c989517023f205300b8f2e373b645ea',
  }),
];

/** Finds a shipped model. @throws CrispenError in the same cases as `findIn` */
export const findModel = (id: string): ModelFile => findIn(MODEL_FILES, id);

/**
 * Finds the default shipped model for a scale.
 * @throws CrispenError in the same cases as `defaultIn`
 */
export const defaultModel = (scale: number, speed?: 'best' | 'fast'): ModelFile =>
  defaultIn(MODEL_FILES, scale, speed);

/** Finds the shipped model for a task. @throws CrispenError `MODEL_UNKNOWN` if there is none */
export function restorationModel(task: Restoration): ModelFile {
  const entry = MODEL_FILES.find((file) => file.task === task);
  if (entry) return entry;
  throw new CrispenError('MODEL_UNKNOWN', `There is no shipped model for the task "${task}".`, {
    hint: 'Add a weight file of scale 1 for this task and name it as the model.',
  });
}
