import { CrispenError } from '../errors.ts';
import type { Task } from './task.ts';

/** One shipped weight file: what it takes to run it. */
export interface ModelFile {
  readonly id: string;
  /** The family, as `createNetwork` takes it. */
  readonly network: 'a2n' | 'a2nm' | 'pan';
  readonly task: Task;
  /** 1 for every task but `upscale`. */
  readonly scale: 1 | 2 | 3 | 4;
  /** Channels and blocks, where they are not the family's own; as `createNetwork` takes them. */
  readonly features?: number;
  readonly blocks?: number;
  /** RGB input and output run from 0 to this. */
  readonly inputRange: number;
  /** Whether maps and weights may be f16: measured by `npm run precision`. */
  readonly f16: boolean;
  /** Name within the folder of models. */
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** The shipped weight files. What is told of them to people is in the manifest. */
export const MODEL_FILES: readonly ModelFile[] = [
  {
    id: 'a2n-x2',
    network: 'a2n',
    task: 'upscale',
    scale: 2,
    inputRange: 255,
    f16: false,
    file: 'a2n-x2.safetensors',
    bytes: 2_091_414,
    sha256: '6ad4188a02924becc0a8f5f9da242ce8ec700b6d04ec87cacc8b5dea4d882794',
  },
  {
    id: 'a2n-x3',
    network: 'a2n',
    task: 'upscale',
    scale: 3,
    inputRange: 255,
    f16: false,
    file: 'a2n-x3.safetensors',
    bytes: 2_091_414,
    sha256: '0953947a8e9c8b1e867ecbe684ca5b361d19374ace1468e745b7d23667eb4057',
  },
  {
    id: 'a2n-x4',
    network: 'a2n',
    task: 'upscale',
    scale: 4,
    inputRange: 255,
    f16: false,
    file: 'a2n-x4.safetensors',
    bytes: 2_113_998,
    sha256: '320a10e092fc49cc34a6fa1dca36901b919d8921c7eba2e785a510fbf4c417c8',
  },
  {
    id: 'pan-x2',
    network: 'pan',
    task: 'upscale',
    scale: 2,
    inputRange: 1,
    f16: true,
    file: 'pan-x2.safetensors',
    bytes: 537_558,
    sha256: '97f8d2d992a07a281294bb98830ff19d49939e94136e3e08fa6cda4ae55873b3',
  },
  {
    id: 'pan-x3',
    network: 'pan',
    task: 'upscale',
    scale: 3,
    inputRange: 1,
    f16: true,
    file: 'pan-x3.safetensors',
    bytes: 537_558,
    sha256: '6c7041685c7041a5f69bb33008aa44ff012ca6150ac3f89ce478b0a27722c4c3',
  },
  {
    id: 'pan-x4',
    network: 'pan',
    task: 'upscale',
    scale: 4,
    inputRange: 1,
    f16: true,
    file: 'pan-x4.safetensors',
    bytes: 560_126,
    sha256: 'e4342c04520ce91067192366459e6063a201cfeb8fe95eccd4790929fc543ef4',
  },
  {
    id: 'a2n-photo-x2',
    network: 'a2n',
    task: 'upscale',
    scale: 2,
    inputRange: 255,
    f16: true,
    file: 'a2n-photo-x2.safetensors',
    bytes: 2_091_422,
    sha256: 'f2711659154eb1b61e79fca6c6daa0040040c2d8265b3d4398a2f30b0909c1e5',
  },
  {
    id: 'a2n-photo-x4',
    network: 'a2n',
    task: 'upscale',
    scale: 4,
    inputRange: 255,
    f16: false,
    file: 'a2n-photo-x4.safetensors',
    bytes: 2_114_006,
    sha256: 'b8d850ee8eeb1b5bd57079dbdca918dcf0fb042146da350ecd83deda1d987e50',
  },
  {
    id: 'a2n-jpeg-x1',
    network: 'a2n',
    task: 'dejpeg',
    scale: 1,
    blocks: 8,
    inputRange: 255,
    f16: false,
    file: 'a2n-jpeg-x1.safetensors',
    bytes: 1_048_198,
    sha256: '3ae4a5b4a6f4451a303441838226931693ee60463067288c5218630d5bd3cfb5',
  },
  {
    id: 'a2n-denoise-x1',
    network: 'a2n',
    task: 'denoise',
    scale: 1,
    blocks: 8,
    inputRange: 255,
    f16: false,
    file: 'a2n-denoise-x1.safetensors',
    bytes: 1_048_198,
    sha256: '5e64ef1cdbba7eb9bf7b0cd8cd7cd13ef68358ca47425f6fe05b79c19512d2cc',
  },
];

/**
 * The model of an id.
 * @throws CrispenError `MODEL_UNKNOWN`; the hint lists the ids that exist.
 */
export function findModel(id: string): ModelFile {
  const entry = MODEL_FILES.find((model) => model.id === id);
  if (!entry) {
    throw new CrispenError('MODEL_UNKNOWN', `There is no model called "${id}".`, {
      hint: `Known models: ${MODEL_FILES.map((model) => model.id).join(', ')}.`,
    });
  }
  return entry;
}

/**
 * The model that suits most photos at a scale: the photo model where there is one, since on JPEG
 * files the others fall below it (and below bicubic from quality 60 on).
 * @throws CrispenError `INVALID_INPUT` for a scale that no model has.
 */
export function defaultModel(scale: number): ModelFile {
  switch (scale) {
    case 2:
      return findModel('a2n-photo-x2');
    case 3:
      return findModel('a2n-x3');
    case 4:
      return findModel('a2n-photo-x4');
    default:
      throw new CrispenError('INVALID_INPUT', `No model enlarges by ${scale}.`, {
        hint: 'Choose scale 2, 3 or 4.',
      });
  }
}
