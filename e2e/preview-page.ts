/** Provides `window.preview`, through which the preview's tests control their page. */
import { attachPreview, type Preview } from '../src/element/preview.ts';
import { createUpscaler } from '../src/index.ts';
import { chosenBackend } from './chosenBackend.ts';

const input = Object.assign(document.createElement('input'), { type: 'file', id: 'file' });
const canvas = document.createElement('canvas');
canvas.style.cssText = 'width: 96px; height: 80px';
document.body.append(input, canvas);

const upscaler = createUpscaler({ backend: chosenBackend });
const log: string[] = [];
/** The number of frames between the event and the first pixels. */
let frames = -1;
let counting = false;

input.addEventListener('change', () => {
  frames = 0;
  counting = true;
  const count = () => {
    if (!counting) return;
    frames++;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
});

async function start(model: string): Promise<Preview> {
  const { id } = await upscaler.addModel(model);
  await upscaler.preload(id);
  return attachPreview(input, {
    canvas,
    upscaler,
    request: { model: id },
    onStage: (stage, file) => {
      if (stage === 'drawn') counting = false;
      log.push(`${file.name} ${stage}`);
    },
    onError: ({ code }, file) => log.push(`${file.name} ${code}`),
  });
}

/** Returns whether the canvas has any content. */
const painted = () =>
  canvas
    .getContext('2d')
    ?.getImageData(0, 0, canvas.width, canvas.height)
    .data.some((value) => value > 0) ?? false;

const harness = {
  start,
  log,
  painted,
  frames: () => frames,
  attached: null as Preview | null,
};

declare global {
  interface Window {
    preview: typeof harness;
  }
}

window.preview = harness;
