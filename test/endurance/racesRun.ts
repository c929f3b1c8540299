import { openEndurance } from './browser.ts';

export interface RaceCounts {
  rounds: number;
  jobs: number;
  right: number;
  /** Jobs that ended with an error that the test caused on purpose. */
  aborted: number;
  wrong: number;
  stuck: number;
  unhandled: number;
}

/** The number of rounds per call into the page. */
const CHUNK = 10;
/** A job counts as stuck after this number of milliseconds. */
const STUCK_MS = 60_000;

export async function races(
  rounds: number,
  seed: number,
  say: (text: string) => void,
): Promise<RaceCounts> {
  const opened = await openEndurance();
  const total = { rounds: 0, jobs: 0, right: 0, aborted: 0, wrong: 0, stuck: 0, unhandled: 0 };
  try {
    const { page } = opened;
    await page.evaluate(prepareRaces, STUCK_MS);
    while (total.rounds < rounds) {
      const count = Math.min(CHUNK, rounds - total.rounds);
      const { faults, ...counts } = await page.evaluate(
        ([seed, count]) => window.race(seed, count),
        [seed * 1_000_003 + total.rounds, count] as const,
      );
      total.rounds += count;
      for (const key of ['jobs', 'right', 'aborted', 'wrong', 'stuck'] as const) {
        total[key] += counts[key];
      }
      const loose = await opened.unhandled();
      total.unhandled += loose.length;
      for (const fault of [...faults, ...loose]) say(`rounds to ${total.rounds}: ${fault}`);
    }
  } finally {
    await opened.close();
  }
  return total;
}

type Part = Omit<RaceCounts, 'rounds' | 'unhandled'> & { readonly faults: readonly string[] };

declare global {
  interface Window {
    race: (seed: number, rounds: number) => Promise<Part>;
  }
}

/** This function runs in the page, so it must not use anything defined outside of it. */
async function prepareRaces(stuckMs: number): Promise<void> {
  const { crispen, models, images } = window;
  const digest = async (file: unknown) => {
    const hash = await crypto.subtle.digest('SHA-256', await (file as Blob).arrayBuffer());
    return String(new Uint8Array(hash));
  };
  const PNG = { output: 'image/png' } as const;
  /** Digests of the correct results, by image and model. */
  const expected: string[][] = [];
  for (const image of images) {
    const results: string[] = [];
    for (const model of models) {
      const made = await window.upscaler.upscale(image, { ...PNG, model });
      results.push(await digest(made.image));
    }
    expected.push(results);
  }
  if (new Set(expected.flat()).size !== images.length * models.length) {
    throw new Error('results that do not differ prove nothing');
  }
  const files = await Promise.all(models.map((id) => window.upscaler.exportModel(id)));

  window.race = async (seed, rounds) => {
    let state = seed | 0;
    // A mulberry32 generator.
    const random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const below = (limit: number) => Math.floor(random() * limit);
    const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
    const counts = { jobs: 0, right: 0, aborted: 0, wrong: 0, stuck: 0 };
    const faults: string[] = [];

    /**
     * Runs a job and cancels it if requested. `allowed` contains the error codes that are
     * acceptable in this round.
     */
    const job = async (allowed: ReadonlySet<string>, cancelled: boolean) => {
      counts.jobs++;
      const [i, m] = [below(images.length), below(models.length)];
      const controller = new AbortController();
      const kind = cancelled ? below(3) : -1;
      if (kind === 0) controller.abort();
      if (kind === 1) void wait(random() * 150).then(() => controller.abort());
      const onProgress = () => {
        if (kind === 2 && random() < 0.3) controller.abort();
      };
      const options = { ...PNG, model: models[m], signal: controller.signal, onProgress };
      const tiled = random() < 0.3 ? { tileSize: 16 } : {};
      const running = window.upscaler.upscale(images[i], { ...options, ...tiled }).then(
        async ({ image }) => ((await digest(image)) === expected[i][m] ? 'right' : 'wrong pixels'),
        (error) => {
          if (!(error instanceof crispen.CrispenError)) return `untyped: ${error}`;
          const isDue = allowed.has(error.code) || (error.code === 'ABORTED' && cancelled);
          return isDue ? 'aborted' : `${error.code}: ${error.message}`;
        },
      );
      const outcome = await Promise.race([running, wait(stuckMs).then(() => 'stuck')]);
      if (outcome === 'right' || outcome === 'aborted' || outcome === 'stuck') counts[outcome]++;
      else counts.wrong++;
      if (!['right', 'aborted'].includes(outcome)) faults.push(outcome);
    };

    for (let round = 0; round < rounds; round++) {
      const event = below(8);
      const allowed = new Set<string>();
      if (event === 0) allowed.add('ABORTED');
      if (event === 1) allowed.add('MODEL_UNKNOWN');
      const jobs = Array.from({ length: 1 + below(4) }, () => job(allowed, random() < 0.5));
      await wait(random() * 100);
      if (event === 0) {
        window.upscaler.destroy();
        Object.assign(window, { upscaler: window.create() });
      }
      if (event === 1) {
        const m = below(models.length);
        await window.upscaler.removeModel(models[m]);
        const name = `tiny-${m}.safetensors`;
        const added = await window.upscaler.addModel(files[m], { name });
        if (added.scale !== m + 2) faults.push(`the model enlarges by ${added.scale}`);
        models[m] = added.id;
      }
      if (event === 2) await window.upscaler.preload(models[below(models.length)]);
      if (event === 3) await window.upscaler.encode(images[0], { type: 'image/jpeg' });
      await Promise.all(jobs);
      // The next job must always succeed.
      await job(new Set(), false);
    }
    return { ...counts, faults };
  };
}
