import type { AddedTask, Detection, UpscaleOutput, UpscaleProgress } from '../src/index.ts';
import { dimensions, megapixels } from './format.ts';
import type { PictureTask } from './models.ts';
import type { Size } from './zoom.ts';

/** The page's texts about adapters, stages and limits. Pure functions. */

type Adapter = NonNullable<Detection['adapter']>;

const STAGES: Readonly<Record<UpscaleProgress['stage'], string>> = {
  decode: 'Reading the picture',
  download: 'Loading the model',
  prepare: 'Getting ready',
  upscale: 'Enlarging',
  encode: 'Finishing',
};

export function stageWords(stage: UpscaleProgress['stage'] | null, task: AddedTask): string {
  if (stage === 'upscale' && task !== 'upscale') return 'Cleaning up';
  return stage === null ? 'Looking for a graphics card' : STAGES[stage];
}

/** Everyday names of the tasks. */
export const TASK_WORDS: Readonly<Record<PictureTask, string>> = {
  upscale: 'Enlarge',
  dejpeg: 'Remove JPEG artifacts',
  denoise: 'Remove noise',
};

/** A name for an adapter from the browser's information. */
export function adapterName(adapter: Adapter): string {
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const parts = [adapter.vendor, adapter.architecture].filter((part) => part !== '');
  return (
    adapter.description || adapter.device || parts.map(capital).join(' ') || 'your graphics card'
  );
}

/** What does the work, and whether it will be slow. */
export function workerWords(detection: Detection | null): { text: string; slow: boolean } {
  if (detection === null) return { text: 'Looking for a graphics card', slow: false };
  if (detection.adapter === null) return cpuWords(detection);
  const name = adapterName(detection.adapter);
  return detection.adapter.isFallbackAdapter
    ? { text: `${name}: no GPU found; a slow software renderer is used.`, slow: true }
    : { text: `Runs on ${name}`, slow: false };
}

function cpuWords({ cpu, reason }: Detection): { text: string; slow: boolean } {
  const why = reason ? 'No GPU found. ' : '';
  if (cpu === null) return { text: 'No GPU found', slow: true };
  if (cpu.code === 'loops') {
    return { text: `${why}This page may not run WebAssembly, so networks are slow.`, slow: true };
  }
  const threads = cpu.threads === 1 ? 'one thread' : `${cpu.threads} threads`;
  return { text: `${why}Runs on the CPU with ${threads}.`, slow: false };
}

/** How a result was made, as a sentence. */
export function madeBy(
  output: Pick<UpscaleOutput, 'backend' | 'adapter' | 'model'> & {
    readonly diagnostics?: Pick<UpscaleOutput['diagnostics'], 'slow'>;
  },
  name = output.model,
): string {
  if (output.backend === 'lanczos') return 'A plain resize (Lanczos), made without a network.';
  const place =
    output.backend === 'cpu'
      ? 'the CPU'
      : output.adapter === null
        ? 'the graphics card'
        : adapterName(output.adapter);
  const slow = output.adapter?.isFallbackAdapter
    ? ', a software adapter'
    : output.diagnostics?.slow
      ? ', in plain JavaScript, which is slow'
      : '';
  return `Made by ${name} on ${place}${slow}.`;
}

/** What of the picture's colours was kept and what was not; empty for an ordinary picture. */
export function keptWords(source: UpscaleOutput['source']): string {
  const { colorSpace, hasProfile, depth, grey, notes } = source;
  const profile = colorSpace === 'display-p3' ? 'Display P3 colours' : 'its colour profile';
  const kept = [
    ...(hasProfile ? [profile] : []),
    ...(depth === 16 ? ['16 bits per colour (in PNG)'] : []),
    ...(grey ? ['pure grey'] : []),
  ];
  return [...(kept.length > 0 ? [`Kept: ${kept.join(', ')}.`] : []), ...notes].join(' ');
}

/** The short label on the result's side of the comparison. */
export function resultTag(backend: UpscaleOutput['backend'], size: string): string {
  const maker = { webgpu: 'Crispen', cpu: 'Crispen on CPU', lanczos: 'Lanczos' }[backend];
  return `${maker} ${size}`.trim();
}

export interface BrowserAdvice {
  readonly browser: string;
  readonly steps: readonly string[];
}

const ADVICE: Readonly<Record<'chrome' | 'firefox' | 'safari', BrowserAdvice>> = {
  chrome: {
    browser: 'Chrome and Edge',
    steps: [
      'Use version 113 or newer (on Android 121).',
      'Turn on “Use graphics acceleration when available” in Settings, System, then restart.',
      'On Linux also enable chrome://flags/#enable-unsafe-webgpu and chrome://flags/#enable-vulkan.',
    ],
  },
  firefox: {
    browser: 'Firefox',
    steps: [
      'Use version 141 or newer on Windows, 145 or newer on a Mac with Apple silicon.',
      'Elsewhere open about:config and set dom.webgpu.enabled to true.',
    ],
  },
  safari: {
    browser: 'Safari',
    steps: [
      'Use Safari 26 or newer (iOS 26, iPadOS 26, macOS 26).',
      'In Safari 18 turn on WebGPU in Settings, Feature Flags (on iPhone: Settings, Apps, Safari, Advanced).',
    ],
  },
};

/** What to enable, with the reader's own browser first. */
export function advice(userAgent: string): BrowserAdvice[] {
  const { chrome, firefox, safari } = ADVICE;
  if (/firefox|fxios/i.test(userAgent)) return [firefox, chrome, safari];
  if (/safari/i.test(userAgent) && !/chrome|chromium|android/i.test(userAgent)) {
    return [safari, chrome, firefox];
  }
  return [chrome, firefox, safari];
}

/** Why a picture takes long or cannot be enlarged here: a title and an explanation. */
export function noAdapterWords({ cpu, reason }: Pick<Detection, 'cpu' | 'reason'>): {
  title: string;
  text: string;
} {
  if (cpu?.reason) {
    return { title: 'No WebAssembly', text: `${cpu.reason.message} ${cpu.reason.hint}` };
  }
  if (reason?.code === 'INSECURE_CONTEXT') {
    return {
      title: 'This address is not secure',
      text: 'Browsers do not offer the graphics card to pages that come over plain http from another machine. Open this page over https, or as localhost on the machine itself.',
    };
  }
  return {
    title: 'No GPU found',
    text: 'This picture takes a while on the CPU. A GPU is much faster, but this browser offers none through WebGPU. Often it only has to be turned on.',
  };
}

/** The longest side that every current browser can put on a canvas and most can encode. */
const MAX_SIDE = 16_384;
/** Largest canvas area of desktop browsers, in pixels. */
const MAX_AREA = 268_435_456;
/** From this size on (a 256 MB picture), phones and older machines run out of memory. */
const LARGE_AREA = 67_108_864;

/** Whether a result is too large for a page to show and must be written to a file. */
export function isBeyondCanvas({ width, height }: Size): boolean {
  return Math.max(width, height) > MAX_SIDE || width * height > MAX_AREA;
}

/** A warning to confirm for a result that a browser may not handle; null if there is none. */
export function sizeWarning({ width, height }: Size): string | null {
  const area = width * height;
  const what = `${dimensions(width, height)} (${megapixels(width, height)} megapixels)`;
  if (isBeyondCanvas({ width, height })) {
    return `The result would be ${what}: more than browsers can show. It goes to a file as it is made; here a reduced copy is shown.`;
  }
  if (area > LARGE_AREA) {
    const megabytes = Math.round((area * 4) / 1e6);
    return `The result would be ${what} and take about ${megabytes} MB of memory at least.`;
  }
  return null;
}
