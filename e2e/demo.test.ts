import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Browser, Download, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { MODELS } from '../src/catalog/manifest.ts';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale as upscaleInWasm } from '../src/cpu/upscale.ts';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { detect, recognise } from '../src/networks/detect.ts';
import { chooseModel } from '../src/node/model.ts';
import { readWeights } from '../src/weights/read.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { writeSafetensors } from '../src/weights/writeSafetensors.ts';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { patience } from '../test/patience.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { startWithPhoto } from './demo-page.ts';
import { decode, encode, expected, expectSamePicture } from './oracle.ts';

const MODEL = 'a2n-photo-x2';
const PHOTO = 'e2e/images/coffee-40x40.jpg';
const SMALL = 'e2e/images/chelsea-24x20.png';

let browser: Browser;
let page: Page;
let requested: string[];
let complaints: string[];
/** The software adapter must be requested explicitly. */
let query = '?backend=webgpu';

async function open(): Promise<void> {
  // Service workers are blocked, because a service worker would answer requests before a test's
  // routes see them. e2e/offline.test.ts tests the service worker.
  page = await browser.newPage({ serviceWorkers: 'block' });
  [requested, complaints] = [[], []];
  page.on('request', (request) => requested.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text());
  });
  // The page must not store anything, so that a reload starts with an empty page.
  await page.addInitScript(() => localStorage.setItem('crispen-keep', 'off'));
  await startWithPhoto(page);
  await page.goto(`${inject('siteUrl')}${query}`);
}

/** After every test, checks that no request left the origin and that no error was unhandled. */
async function close(): Promise<void> {
  await page.close();
  const local = new RegExp(`^(data:|blob:|${inject('siteUrl')})`);
  expect(requested.filter((url) => !local.test(url))).toEqual([]);
  expect(complaints).toEqual([]);
}

/** Drops a file onto the page, as a user would with the mouse. */
async function drop(name: string, file: Uint8Array | readonly number[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([bytes, fileName]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], fileName));
      return transfer;
    },
    [[...file], name] as const,
  );
  await page.getByTestId('drop').dispatchEvent('drop', { dataTransfer: transfer });
}

const pick = (path: string) => page.getByTestId('file').setInputFiles(path);

/** Waits for a status message, which appears in the live region for screen readers. */
async function status(text: RegExp): Promise<void> {
  await page.getByTestId('status').filter({ hasText: text }).waitFor();
}

async function download(format: 'png' | 'jpeg' | 'webp' | 'avif'): Promise<Buffer> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId(`download-${format}`).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(new RegExp(`\\.${format === 'jpeg' ? 'jpg' : format}$`));
  return contentOf(file);
}

async function contentOf(file: Download): Promise<Buffer> {
  return readFile(await file.path());
}

/** Checks that the page's PNG download equals the interpreter's result for `input`. */
async function expectDownload(input: Uint8Array): Promise<void> {
  expectSamePicture(
    await decode(await download('png')),
    await expected(MODEL, await decode(input)),
  );
}

describe('the page', () => {
  beforeAll(async () => {
    browser = await launch({ webgpu: true });
  });
  afterAll(() => browser.close());
  beforeEach(open);
  afterEach(close);

  it('enlarges a dropped photo and saves it as PNG, JPEG and WebP', async () => {
    const photo = await readFile(PHOTO);
    await drop(basename(PHOTO), photo);
    await status(/^Done/);
    await expectDownload(photo);
    for (const format of ['jpeg', 'webp'] as const) {
      const { width, height } = await decode(await download(format));
      expect([width, height]).toEqual([80, 80]);
    }
    expect(await page.getByTestId('notice').isVisible()).toBe(false);
    expect(await page.getByTestId('compare').isVisible()).toBe(true);
  });

  it('takes the chosen scale', async () => {
    await page.getByRole('radio', { name: '3×' }).check();
    await pick(SMALL);
    await status(/^Done/);
    const { width, height } = await decode(await download('png'));
    expect([width, height]).toEqual([72, 60]);
  });

  const restores = MODELS.filter(({ task }) => task !== 'upscale');
  it.skipIf(restores.length === 0)('does what else there are models for', async () => {
    await page.getByRole('radio', { name: 'Remove JPEG artifacts' }).check();
    const photo = await readFile(SMALL);
    await drop(basename(SMALL), photo);
    await status(/^Done/);
    const { id } = restores.find(({ task }) => task === 'dejpeg')!;
    expectSamePicture(await decode(await download('png')), await expected(id, await decode(photo)));
    await page.getByRole('radio', { name: 'Enlarge' }).check();
    await status(/^Done/);
    await expectDownload(photo);
  });

  it('can be cancelled midway and run again', async () => {
    const photo = await readFile(PHOTO);
    await drop(basename(PHOTO), photo);
    const bar = page.getByTestId('progress');
    await page.waitForFunction(
      (element) => Number(element?.getAttribute('aria-valuenow')) > 20,
      await bar.elementHandle(),
    );
    await page.getByTestId('cancel').click();
    await status(/^Cancelled/);
    expect(await page.getByTestId('download-png').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Start again' }).click();
    await status(/^Done/);
    await expectDownload(photo);
  });

  it('says what is wrong with a corrupt file, and the next one works', async () => {
    await drop('letter.png', new TextEncoder().encode('Dear reader, this is no picture.'));
    const error = page.getByRole('alert');
    await error.filter({ hasText: 'text, not an image' }).waitFor();
    await drop('empty.jpg', []);
    await error.filter({ hasText: 'empty' }).waitFor();
    await drop('cut.jpg', (await readFile(PHOTO)).subarray(0, 700));
    await error.filter({ hasText: 'incomplete' }).waitFor();
    expect(await page.getByTestId('download-png').isVisible()).toBe(false);
    await pick(SMALL);
    await status(/^Done/);
    expect(await error.isVisible()).toBe(false);
    await expectDownload(await readFile(SMALL));
  });

  it('keeps each label on its side, and hides it where it does not fit', async () => {
    const tags = () =>
      page.evaluate(() => {
        const box = (id: string) => document.getElementById(id)!.getBoundingClientRect();
        const isSeen = (id: string) =>
          document.getElementById(id)!.checkVisibility({ visibilityProperty: true });
        const { left, width } = box('divider');
        const line = left + width / 2;
        const [before, after] = [box('tag-before'), box('tag-after')];
        return {
          before: isSeen('tag-before') && before.right < line ? 'left' : isSeen('tag-before'),
          after: isSeen('tag-after') && after.left > line ? 'right' : isSeen('tag-after'),
        };
      });
    await drop('wide.png', await encode(picture(48, 36)));
    await status(/^Done/);
    const divider = page.locator('#divider');
    const sides = async (key: string, wanted: Record<'before' | 'after', string | boolean>) => {
      await divider.press(key);
      await expect.poll(tags).toEqual(wanted);
    };
    await expect.poll(tags).toEqual({ before: 'left', after: 'right' });
    await sides('End', { before: 'left', after: false });
    await sides('Home', { before: false, after: 'right' });
    await sides('Shift+ArrowRight', { before: false, after: 'right' });
    await expect
      .poll(() => divider.getAttribute('aria-valuetext'))
      .toBe('10 % original, 90 % enlarged');
    // At 100 %, this picture is 80 pixels wide, which leaves no room for labels.
    await drop('small.png', await encode(picture(40, 30)));
    await status(/^Done/);
    await page.locator('#zoom-full').click();
    await expect.poll(tags).toEqual({ before: false, after: false });
    for (const [name, width, height] of [
      ['tall.png', 2, 200],
      ['flat.png', 200, 2],
    ] as const) {
      await drop(name, await encode(picture(width, height)));
      await page
        .getByText(`${width * 2} × ${height * 2}`)
        .last()
        .waitFor();
      await status(/^Done/);
      expect([name, await tags()]).toEqual([name, { before: false, after: false }]);
    }
  });

  it('says plainly that it is offline, and keeps the result', async () => {
    await drop(basename(SMALL), await readFile(SMALL));
    await status(/^Done/);
    await page.route(/avif/, (route) => route.abort());
    await page.getByTestId('download-avif').click();
    const error = page.getByRole('alert');
    await error.filter({ hasText: 'A part of Crispen could not be loaded.' }).waitFor();
    expect(await error.textContent()).toContain('Check the connection, then try again.');
    await expectDownload(await readFile(SMALL));
  });

  it('enlarges a picture of one pixel', async () => {
    const pixel = { width: 1, height: 1, data: Uint8ClampedArray.of(200, 100, 50, 255) };
    const file = Uint8Array.from(await encode(pixel));
    await drop('pixel.png', file);
    await status(/^Done/);
    await expectDownload(file);
  });
});

describe('models of one\u2019s own', () => {
  const CHECKPOINT = 'test/checkpoints/compact_x2_params_and_ema_legacy.pth';
  const list = () => page.getByTestId('own').locator('li');
  beforeAll(async () => {
    browser = await launch({ webgpu: true });
  });
  afterAll(() => browser.close());
  beforeEach(open);
  afterEach(close);

  it('runs a dropped checkpoint, keeps it, saves it as safetensors and forgets it', async () => {
    const photo = await readFile(SMALL);
    await drop(basename(CHECKPOINT), await readFile(CHECKPOINT));
    await list().getByText('Compact, 2×').waitFor();
    expect(await list().getByRole('radio').isChecked()).toBe(true);
    await drop(basename(SMALL), photo);
    await status(/^Done/);

    const { tensors } = await readWeights(await readFile(CHECKPOINT), recognise);
    const { network, weights } = detect(tensors);
    const { image } = await upscaleOnCpu(network, weights, await decode(photo));
    expectSamePicture(await decode(await download('png')), image);

    // The model is still in the list after a reload.
    await page.reload();
    await list().getByText('Compact, 2×').waitFor();
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      list().getByRole('button', { name: 'Save as safetensors' }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe('compact_x2_params_and_ema_legacy.safetensors');
    const converted = readSafetensors(await contentOf(saved)).tensors;
    expect(converted.size).toBe(tensors.size);
    for (const [name, { bytes }] of tensors) {
      expect(Buffer.compare(converted.get(name)!.bytes, bytes)).toBe(0);
    }

    await list().getByRole('button', { name: 'Remove' }).click();
    await list().waitFor({ state: 'detached' });
    await page.reload();
    await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();
    expect(await list().count()).toBe(0);
  });

  it('restores by a network of scale 1 at the own size of a picture', async () => {
    await drop('1x-noise.safetensors', tinyCheckpoint(1));
    await list().getByText('Compact, removes noise').waitFor();
    await drop(basename(SMALL), await readFile(SMALL));
    await status(/^Done/);
    const made = await decode(await download('png'));
    expect([made.width, made.height]).toEqual([24, 20]);
    expect(await page.getByRole('radio', { name: '1×' }).isChecked()).toBe(true);
    // The user's own model is selected, so none of the shipped models is selected.
    expect(await page.getByTestId('model').locator('input:checked').count()).toBe(0);
    const divider = page.getByRole('slider', { name: /original and the result/ });
    await divider.press('ArrowRight');
    // The divider is updated in the next frame.
    await expect
      .poll(() => divider.getAttribute('aria-valuetext'))
      .toBe('51 % original, 49 % cleaned up');
    await page.getByRole('radio', { name: '2×' }).check();
    await page.getByText('48 × 40').last().waitFor();
    await status(/^Done/);
    await page.getByText('Made by 1x-noise, then Photo').waitFor();
  });

  it('says what a file is that it cannot run', async () => {
    const odd = { dtype: 'f32', shape: [1], bytes: new Uint8Array(4) } as const;
    await drop('odd.safetensors', writeSafetensors(new Map([['odd.weight', odd]])));
    const error = page.getByTestId('error');
    await error
      .filter({ hasText: 'Crispen does not know the network of this file (1 tensor: odd.weight)' })
      .waitFor();
    expect(await list().count()).toBe(0);
  });
});

describe('a result that is too large to be shown', () => {
  beforeAll(async () => {
    browser = await launch({ webgpu: true });
  });
  afterAll(() => browser.close());
  beforeEach(open);
  afterEach(close);

  /**
   * Replaces the browser's file picker, which only a person can operate. The replacement returns a
   * file in OPFS, or cancels.
   */
  const stubPicker = (isPicked: boolean) =>
    page.addInitScript((isPicked) => {
      Object.assign(window, {
        async showSaveFilePicker({ suggestedName }: { suggestedName: string }) {
          if (!isPicked) throw new DOMException('The user aborted a request.', 'AbortError');
          const root = await navigator.storage.getDirectory();
          return root.getFileHandle(suggestedName, { create: true });
        },
      });
    }, isPicked);

  /**
   * Opens a page with a model that needs almost no computation, and drops an image that is 4100
   * pixels wide.
   */
  async function start(height: number): Promise<Rgba8Image> {
    await page.reload();
    await drop('tiny.safetensors', tinyCheckpoint());
    await page.getByTestId('own').getByText('Compact, 4×').waitFor();
    const image = picture(4100, height);
    await drop('wide.png', await encode(image));
    await page.getByText('16400 ×').first().waitFor();
    return image;
  }

  const files = () =>
    page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const found: { name: string; bytes: number[] }[] = [];
      for await (const handle of root.values()) {
        if (handle.kind !== 'file') continue;
        const file = await (handle as FileSystemFileHandle).getFile();
        found.push({ name: handle.name, bytes: [...new Uint8Array(await file.arrayBuffer())] });
      }
      return found;
    });

  it('goes to the chosen file, and a reduced copy is shown', async () => {
    await stubPicker(true);
    const image = await start(3);
    await page.getByRole('button', { name: 'Save as…' }).click();
    await status(/^Done/);
    expect(await page.getByTestId('saved').textContent()).toBe(
      'Saved as wide@4x.png. A reduced copy is shown; the file has every pixel.',
    );
    expect(await page.getByTestId('download-png').isVisible()).toBe(false);
    expect(await page.getByTestId('compare').isVisible()).toBe(true);
    const [{ name, bytes }, ...others] = await files();
    expect([name, others]).toEqual(['wide@4x.png', []]);
    const { network, weights } = detect(readSafetensors(tinyCheckpoint()).tensors);
    expectSamePicture(await decode(bytes), (await upscaleOnCpu(network, weights, image)).image);
  });

  it('leaves no file behind when it is cancelled, and waits when no file is picked', async () => {
    await stubPicker(true);
    await start(200);
    await page.getByRole('button', { name: 'Save as…' }).click();
    await page.waitForFunction(
      (element) => Number(element?.getAttribute('aria-valuenow')) > 5,
      await page.getByTestId('progress').elementHandle(),
    );
    expect((await files()).map(({ name }) => name)).toContain('wide@4x.png');
    await page.getByTestId('cancel').click();
    await status(/^Cancelled/);
    await expect.poll(files, { timeout: 30_000 }).toEqual([]);

    await stubPicker(false);
    await start(3);
    await page.getByRole('button', { name: 'Save as…' }).click();
    await status(/^A very large result/);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    expect(await files()).toEqual([]);
  });

  it('is a download where no file can be picked', async () => {
    await page.addInitScript(() => Object.assign(window, { showSaveFilePicker: undefined }));
    const image = await start(3);
    await page.getByRole('button', { name: 'Enlarge it anyway' }).click();
    await status(/^Done/);
    const { network, weights } = detect(readSafetensors(tinyCheckpoint()).tensors);
    const { image: wanted } = await upscaleOnCpu(network, weights, image);
    expectSamePicture(await decode(await download('png')), wanted);
    expect(await page.getByTestId('download-jpeg').isVisible()).toBe(false);
  });
});

describe('the page without an adapter', () => {
  beforeAll(async () => {
    browser = await launch({ webgpu: false });
    query = '';
  });
  afterAll(() => browser.close());
  beforeEach(open);
  afterEach(close);

  it('always leaves a way to go on', async () => {
    await page.getByRole('radio', { name: 'Remove JPEG artifacts' }).check();
    const large = { width: 2600, height: 1740, channels: 3 as const, background: '#456' };
    await drop('large.png', await sharp({ create: large }).png().toBuffer());
    await page.getByText('Waiting for your choice above.').waitFor();
    const ways = page.locator('#ways button:visible');
    expect(await ways.count()).toBeGreaterThan(0);
    await ways.first().click();
    await page.getByTestId('cancel').waitFor();
  });

  it('runs on the CPU at once, says so in one line, and warns of nothing', async () => {
    await page.getByText(/^No GPU found\. Runs on the CPU with /).waitFor();
    const photo = await readFile(SMALL);
    await drop(basename(SMALL), photo);
    await status(/^Done/);
    expect(await page.getByTestId('notice').isVisible()).toBe(false);
    expect(await page.locator('#worker.is-slow').count()).toBe(0);
    await page.getByText(/^Made by .*\bCPU\b/).waitFor();
    await expectDownload(photo);
  });

  it('keeps colours, says so, and saves them in every format, metadata when told to', async () => {
    const photo = await sharp(PHOTO)
      .withIccProfile('p3')
      .withExif({ IFD0: { Artist: 'somebody' } })
      .jpeg()
      .toBuffer();
    const { icc } = await sharp(photo).metadata();
    await drop('p3.jpg', photo);
    await status(/^Done/);
    expect(await page.getByTestId('kept').textContent()).toBe('Kept: Display P3 colours.');
    for (const format of ['png', 'jpeg', 'webp', 'avif'] as const) {
      const found = await sharp(await download(format)).metadata();
      expect([found.width, found.icc!.equals(icc!), found.exif]).toEqual([80, true, undefined]);
    }
    await page.getByTestId('keep-metadata').check();
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const { exif } = await sharp(await download(format)).metadata();
      expect(exif!.includes('somebody')).toBe(true);
    }
  });

  it('enlarges a photo of 300 x 200 in less than 20 s', async () => {
    const photo = await readFile('public/samples/cat.jpg');
    const started = performance.now();
    await drop('cat.jpg', photo);
    await status(/^Done/);
    const seconds = (performance.now() - started) / 1000;
    console.info(`300 x 200 on the demo page without a GPU: ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(patience(20));
    const { network, weights } = await chooseModel({ scale: 2 });
    const image = await decode(photo);
    const { image: wanted } = await upscaleInWasm(await CpuModel.load(network, weights), image);
    expectSamePicture(await decode(await download('png')), wanted);
  });

  it('asks before what takes more than a minute, and resizes when told to', async () => {
    const { width, height } = { width: 2400, height: 2000 };
    const large = await sharp({ create: { width, height, channels: 3, background: '#456' } })
      .png()
      .toBuffer();
    await drop('large.png', large);
    await page.getByTestId('notice').waitFor();
    expect(await page.getByTestId('run-cpu').textContent()).toMatch(
      /on the CPU \(about \d+(\.5)? (min|h)/,
    );
    await page.getByTestId('run-lanczos').click();
    await status(/^Done/);
    await page.getByText(/^A plain resize/).waitFor();
  });

  it('cancels at once', async () => {
    await drop('cat.jpg', await readFile('public/samples/cat.jpg'));
    await page.getByText(/^Enlarging/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await status(/^Cancelled/);
  });
});
