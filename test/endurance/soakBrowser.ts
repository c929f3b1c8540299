import { openEndurance } from './browser.ts';
import { endsOf, type Held, isFlat, type SoakCounts, told } from './flat.ts';

const STUCK_MS = 60_000;
const STEPS = 10;

/** Processes images in Chromium, through the page's upscaler and its worker. */
export async function soakInBrowser(
  images: number,
  seed: number,
  say: (text: string) => void,
): Promise<SoakCounts> {
  const opened = await openEndurance();
  const counts = { images, wrong: 0, stuck: 0, untyped: 0 };
  const samples: Held[] = [];
  try {
    const { page } = opened;
    await page.evaluate(prepareSoak, [seed, STUCK_MS] as const);
    const step = Math.max(1, Math.floor(images / STEPS));
    for (let done = 0; done < images; ) {
      const count = Math.min(step, images - done);
      const part = await page.evaluate((count) => window.soak(count), count);
      for (const fault of part.faults) say(`images to ${done + count}: ${fault}`);
      for (const key of ['wrong', 'stuck', 'untyped'] as const) counts[key] += part[key];
      const loose = await opened.unhandled();
      counts.untyped += loose.length;
      for (const fault of loose) say(`images to ${done + count}: ${fault}`);
      // Jobs share buffers, whose size depends on the last job. Every sample is therefore taken
      // after the same job.
      await page.evaluate(() =>
        window.upscaler.upscale(window.images[2], { model: window.models[1], output: 'image/png' }),
      );
      const { heap, process } = await opened.memory();
      const { buffers, bytes } = await opened.live();
      const now = { buffers, bytes, heap, process };
      samples.push(now);
      done += count;
      say(`${done} images: ${told(now)}`);
    }
  } finally {
    await opened.close();
  }
  const ends = endsOf(samples);
  return { ...counts, held: ends, flat: isFlat(ends.first, ends.last) };
}

declare global {
  interface Window {
    soak: (images: number) => Promise<{
      readonly wrong: number;
      readonly stuck: number;
      readonly untyped: number;
      readonly faults: readonly string[];
    }>;
  }
}

/** This function runs in the page, so it must not use anything defined outside of it. */
async function prepareSoak([seed, stuckMs]: readonly [number, number]): Promise<void> {
  const { crispen, models, images, upscaler } = window;
  const digest = async (file: unknown) => {
    const hash = await crypto.subtle.digest('SHA-256', await (file as Blob).arrayBuffer());
    return String(new Uint8Array(hash));
  };
  const PNG = { output: 'image/png' } as const;
  const expected: string[][] = [];
  for (const image of images) {
    const results: string[] = [];
    for (const model of models) {
      const made = await upscaler.upscale(image, { ...PNG, model });
      results.push(await digest(made.image));
    }
    expected.push(results);
  }
  // The damaged file is as long as a valid one, so that the decoder runs.
  const damaged = new Uint8Array(await images[0].arrayBuffer());
  damaged.fill(0, 45, 60);
  let number = seed;

  window.soak = async (count) => {
    const result = { wrong: 0, stuck: 0, untyped: 0, faults: [] as string[] };
    for (let end = number + count; number < end; number++) {
      const [i, m] = [number % images.length, Math.floor(number / 7) % models.length];
      const isDamaged = number % 11 === 10;
      const image = isDamaged ? new Blob([damaged]) : images[i];
      const controller = new AbortController();
      const isCancelled = number % 13 === 12;
      if (isCancelled) setTimeout(() => controller.abort(), 30);
      const { signal } = controller;
      const running = upscaler
        .upscale(image, {
          model: models[m],
          signal,
          output: number % 3 === 0 ? 'bitmap' : 'image/png',
        })
        .then(
          async ({ image }) => {
            if (image instanceof ImageBitmap) {
              image.close();
              return 'right';
            }
            return (await digest(image)) === expected[i][m] ? 'right' : 'wrong';
          },
          (error) => {
            if (!(error instanceof crispen.CrispenError)) return `untyped: ${error}`;
            if (error.code === 'ABORTED' && isCancelled) return 'right';
            if (error.code === 'DECODE_FAILED' && isDamaged) return 'right';
            return `untyped: ${error.code}: ${error.message}`;
          },
        );
      const late = new Promise<string>((resolve) => setTimeout(resolve, stuckMs, 'stuck'));
      const outcome = await Promise.race([running, late]);
      if (outcome === 'right') continue;
      result.faults.push(outcome);
      if (outcome === 'wrong' || outcome === 'stuck') result[outcome]++;
      else result.untyped++;
    }
    return result;
  };
}
