import { MODEL_FILES, type ModelFile } from './files.ts';

/** One shipped weight file and the information about it. */
export interface ModelEntry extends ModelFile {
  /** A one-line description in plain words. */
  readonly description: string;
  readonly training: {
    readonly data: string;
    readonly steps: number;
    readonly minutes: number;
    readonly hardware: string;
    /** The last training stage's seed. `training/runs` contains the seeds of earlier stages. */
    readonly seed: number;
    /** The id of the model that provided the initial weights; null for random weights. */
    readonly startedFrom: string | null;
  };
  /**
   * The mean PSNR in dB, computed from the BT.601 luma of the 8-bit output. The luma values are not
   * rounded. A border of `scale` pixels is excluded. The low-resolution input images were made by
   * bicubic reduction. Photo models also handle degraded images, but their PSNR on these clean
   * images is a little lower. The inputs of models with scale 1 are the images at their original
   * size, with added JPEG artifacts or noise (see `input`).
   */
  readonly quality: SetFigures & {
    /**
     * The PSNR of the network's input. The input was degraded by JPEG compression (`jpeg` is its
     * quality) or by noise (`noise` is its standard deviation in 8-bit levels). `npm run quality`
     * measures this with the option `--jpeg` or `--noise`.
     */
    readonly input?: SetFigures & { readonly jpeg?: number; readonly noise?: number };
  };
}

/** The PSNR in dB for each image set. */
export interface SetFigures {
  readonly set5: number;
  readonly set14: number;
}

const PHOTOS =
  '1,153 photos of research data sets (BSDS500, Sun-Hays 80, ImageNet samples), reduced by bicubic';
const WORN_PHOTOS = `${PHOTOS}, then soft focus, noise and JPEG of quality 30 to 95 at random`;
const SAMPLES = '777 photos of research data sets (BSDS500, Sun-Hays 80, ImageNet samples)';
const SMALLER = `${SAMPLES} made smaller, 360 pictures of shapes and 150 of patterns`;
const CLEANED = `${SMALLER}, reduced by bicubic`;
/** The images in `SMALLER`, plus tiles of large pictures, all reduced by bicubic interpolation. */
const WIDENED = `${SMALLER}, 445 tiles of large pictures, reduced by bicubic`;
/** A newer set of training photos. THIRD-PARTY.md lists their sources. */
const SHARP_PHOTOS = '407 photos of 318 megapixels';
const SHARED_CORES = 'two CPU cores, shared with other work';
const ONE_CORE = 'one CPU core';

/** The notes are separate from `MODEL_FILES`, because the worker does not need them. */
const NOTES: Readonly<Record<string, Omit<ModelEntry, keyof ModelFile>>> = {
  'a2n-x2': {
    description: 'Twice the size, for clean images that were never saved as JPEG.',
    training: {
      data: `${PHOTOS}; then ${WIDENED}; then ${SHARP_PHOTOS}, some made smaller, reduced by bicubic; 15 % of the weights come from the stage before`,
      steps: 13800,
      minutes: 136,
      hardware: SHARED_CORES,
      seed: 161,
      startedFrom: null,
    },
    quality: { set5: 37.588, set14: 33.185 },
  },
  'a2n-x3': {
    description: 'Three times the size, for clean images that were never saved as JPEG.',
    training: {
      data: `${PHOTOS}; then ${WIDENED}`,
      steps: 7314,
      minutes: 49,
      hardware: SHARED_CORES,
      seed: 8,
      startedFrom: 'a2n-x2',
    },
    quality: { set5: 33.782, set14: 29.951 },
  },
  'a2n-x4': {
    description: 'Four times the size, for clean images that were never saved as JPEG.',
    training: {
      data: `${PHOTOS}; then ${WIDENED}`,
      steps: 11777,
      minutes: 82,
      hardware: SHARED_CORES,
      seed: 8,
      startedFrom: 'a2n-x2',
    },
    quality: { set5: 31.634, set14: 28.306 },
  },
  'pan-x2': {
    description: 'Twice the size, for clean images: a quarter of the download.',
    training: {
      data: `${CLEANED}; then ${WIDENED}`,
      steps: 24400,
      minutes: 61,
      hardware: SHARED_CORES,
      seed: 8,
      startedFrom: 'pan-x4',
    },
    quality: { set5: 37.571, set14: 33.166 },
  },
  'pan-x3': {
    description: 'Three times the size, for clean images: a quarter of the download.',
    training: {
      data: CLEANED,
      steps: 2000,
      minutes: 5,
      hardware: SHARED_CORES,
      seed: 1,
      startedFrom: 'pan-x2',
    },
    quality: { set5: 33.746, set14: 29.903 },
  },
  'pan-x4': {
    description: 'Four times the size, for clean images: a quarter of the download.',
    training: {
      data: `${SAMPLES} reduced by bicubic; then ${CLEANED}; then ${WIDENED}`,
      steps: 45900,
      minutes: 148,
      hardware: SHARED_CORES,
      seed: 8,
      startedFrom: null,
    },
    quality: { set5: 31.651, set14: 28.3 },
  },
  'a2n-photo-x2': {
    description: 'Twice the size, for ordinary photos: removes JPEG traces and noise as well.',
    training: {
      data: `${WORN_PHOTOS}; then ${WIDENED} and worn likewise; then ${SHARP_PHOTOS}, some made smaller, with milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; 20 % of the weights come from the stage before, 10 % from a2n-sharp-x2`,
      steps: 17580,
      minutes: 228,
      hardware: SHARED_CORES,
      seed: 131,
      startedFrom: 'a2n-x2',
    },
    quality: { set5: 37.292, set14: 32.97 },
  },
  'a2n-photo-x4': {
    description: 'Four times the size, for ordinary photos: removes JPEG traces and noise as well.',
    training: {
      data: `${WORN_PHOTOS}; then ${WIDENED} and worn likewise; then ${SHARP_PHOTOS}, some made smaller, with milder wear: JPEG of quality 30 to 95 on 75 %, a fifth clean; then quality 50 to 95 on 70 %; 15 % of the weights come from a2n-sharp-x4`,
      steps: 17272,
      minutes: 160,
      hardware: SHARED_CORES,
      seed: 71,
      startedFrom: 'a2n-x4',
    },
    quality: { set5: 31.592, set14: 28.213 },
  },
  'pan-photo-x2': {
    description:
      'Twice the size, for ordinary photos: a quarter of the download, more than twice as fast on the CPU.',
    training: {
      data: `${SHARP_PHOTOS}, reduced, then soft focus, noise and JPEG of quality 30 to 95 at random; then some made smaller, with milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; 9 % of the weights come from the stage before, 10 % from further steps with a perceptual distance and a discriminator`,
      steps: 20372,
      minutes: 151,
      hardware: SHARED_CORES,
      seed: 141,
      startedFrom: 'pan-x2',
    },
    quality: { set5: 37.298, set14: 32.953 },
  },
  'pan-photo-x3': {
    description:
      'Three times the size, for ordinary photos: keeps fine detail, removes JPEG traces.',
    training: {
      data: `${SHARP_PHOTOS}, some made smaller, reduced, then milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; 5 % of the weights come from the stage before`,
      steps: 6600,
      minutes: 61,
      hardware: SHARED_CORES,
      seed: 173,
      startedFrom: 'pan-x3',
    },
    quality: { set5: 33.621, set14: 29.768 },
  },
  'pan-photo-x4': {
    description:
      'Four times the size, for ordinary photos: a quarter of the download, more than twice as fast on the CPU.',
    training: {
      data: `${SHARP_PHOTOS}, some made smaller, reduced, then milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; 15 % of the weights come from 600 further steps with a perceptual distance and a discriminator`,
      steps: 20068,
      minutes: 168,
      hardware: ONE_CORE,
      seed: 91,
      startedFrom: 'pan-x4',
    },
    quality: { set5: 31.514, set14: 28.164 },
  },
  'a2n-sharp-x2': {
    description:
      'Twice the size, for photos: crisper hair, fabric and letters. Invents detail that the photo does not have.',
    training: {
      data: `${SHARP_PHOTOS}, some made smaller, reduced, then milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; a perceptual distance and a discriminator; 10 % of the weights come from an earlier a2n-photo-x2`,
      steps: 3500,
      minutes: 41,
      hardware: SHARED_CORES,
      seed: 121,
      startedFrom: 'a2n-photo-x2',
    },
    quality: { set5: 36.35, set14: 32.375 },
  },
  'a2n-sharp-x4': {
    description:
      'Four times the size, for photos: crisper hair, fabric and letters. Invents detail that the photo does not have.',
    training: {
      data: `${SHARP_PHOTOS}, some made smaller, reduced, then milder wear: JPEG of quality 50 to 95 on 70 %, a fifth clean; a perceptual distance and a discriminator; 7 % of the weights come from a2n-photo-x4`,
      steps: 10427,
      minutes: 195,
      hardware: SHARED_CORES,
      seed: 83,
      startedFrom: 'a2n-photo-x4',
    },
    quality: { set5: 30.608, set14: 27.588 },
  },
  'a2nm-x2': {
    description: 'Twice the size, for clean images: A2N-M, four fifths of the weights of A2N.',
    training: {
      data: `${SHARP_PHOTOS}, reduced by bicubic`,
      steps: 1600,
      minutes: 23,
      hardware: ONE_CORE,
      seed: 1,
      startedFrom: 'a2n-x2',
    },
    quality: { set5: 37.423, set14: 33.061 },
  },
  'a2nm-x4': {
    description: 'Four times the size, for clean images: A2N-M, four fifths of the weights of A2N.',
    training: {
      data: `${SHARP_PHOTOS}, reduced by bicubic`,
      steps: 1100,
      minutes: 13,
      hardware: ONE_CORE,
      seed: 1,
      startedFrom: 'a2nm-x2',
    },
    quality: { set5: 31.29, set14: 28.088 },
  },
  'lcoan-x2': {
    description:
      'Twice the size, for clean images: LCoAN, where repeats of a texture help each other. Slow.',
    training: {
      data: `${SHARP_PHOTOS}, reduced by bicubic`,
      steps: 7041,
      minutes: 105,
      hardware: ONE_CORE,
      seed: 1,
      startedFrom: null,
    },
    quality: { set5: 36.985, set14: 32.689 },
  },
  'acla-x2': {
    description:
      'Twice the size, for clean images: ACLA, where each pixel chooses where it attends. Slow.',
    training: {
      data: `${SHARP_PHOTOS}, reduced by bicubic`,
      steps: 1900,
      minutes: 131,
      hardware: ONE_CORE,
      seed: 1,
      startedFrom: null,
    },
    quality: { set5: 35.847, set14: 31.994 },
  },
  'asid-x2': {
    description: 'Twice the size, for clean images: ASID, a small transformer. Slow.',
    training: {
      data: `${SHARP_PHOTOS}, reduced by bicubic`,
      steps: 3200,
      minutes: 120,
      hardware: ONE_CORE,
      seed: 2,
      startedFrom: null,
    },
    quality: { set5: 36.521, set14: 32.324 },
  },
  'a2n-jpeg-x1': {
    description: 'The same size, without the blocks and halos of JPEG compression.',
    training: {
      data: `${SAMPLES} as JPEG of quality 10 to 95, high ones more often`,
      steps: 4500,
      minutes: 70,
      hardware: SHARED_CORES,
      seed: 3,
      startedFrom: 'a2n-photo-x2',
    },
    quality: { set5: 34.299, set14: 32.298, input: { jpeg: 20, set5: 32.923, set14: 31.171 } },
  },
  'a2n-denoise-x1': {
    description: 'The same size, without the noise of dark photos.',
    training: {
      data: `${SAMPLES} with white noise of up to 30 levels`,
      steps: 1000,
      minutes: 29,
      hardware: SHARED_CORES,
      seed: 1,
      startedFrom: 'a2n-jpeg-x1',
    },
    quality: { set5: 33.561, set14: 32.179, input: { noise: 25, set5: 25.435, set14: 25.34 } },
  },
  'acla-denoise-x1': {
    description: 'The same size, without the noise of dark photos: ACLA. Slow.',
    training: {
      data: `${SHARP_PHOTOS} with white noise of up to 30 levels`,
      steps: 400,
      minutes: 21,
      hardware: ONE_CORE,
      seed: 1,
      startedFrom: 'acla-x2',
    },
    quality: { set5: 32.606, set14: 31.237, input: { noise: 25, set5: 25.435, set14: 25.34 } },
  },
};

/** The shipped models. */
export const MODELS: readonly ModelEntry[] = /* @__PURE__ */ MODEL_FILES.map((file) => ({
  ...file,
  ...NOTES[file.id],
}));
