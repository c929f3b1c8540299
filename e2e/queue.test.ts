/**
 * Tests, from a visitor's point of view, that no picture is lost and that many pictures form one
 * job.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import {
  downloadBy,
  dropOn,
  dropPaths,
  fileAt,
  type Given,
  openDemo,
  queueStatus,
  status,
} from './demo-page.ts';
import { decode, encode, expectSamePicture } from './oracle.ts';

const CAT = 'e2e/images/chelsea-24x20.png';
const text = (name: string): Given => ({
  name,
  bytes: new TextEncoder().encode('Dear reader, this is no picture.'),
});
const png = async (name: string, width: number, height: number): Promise<Given> => ({
  name,
  bytes: await encode(picture(width, height)),
});

let browser: Browser;
let page: Page;
let close: () => Promise<void>;

beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());
beforeEach(async () => {
  ({ page, close } = await openDemo(browser));
});
afterEach(() => close());

const names = () => page.getByTestId('strip-list').locator('small').allTextContents();
const tile = (name: string | RegExp) =>
  page.getByTestId('strip-list').getByRole('button', { name });
const sizeOfResult = () => page.locator('#fact-to').textContent();

describe('a result', () => {
  it('stays when a file that is no picture is dropped', async () => {
    await dropOn(page, await fileAt(CAT));
    await status(page, /^Done/);
    await dropOn(page, text('notes.txt'));
    const error = page.getByTestId('error');
    await error.filter({ hasText: 'notes.txt: The file contains text, not an image.' }).waitFor();
    expect(await page.getByTestId('compare').isVisible()).toBe(true);
    const { bytes } = await downloadBy(page, 'download-png');
    const { width, height } = await decode(bytes);
    expect([width, height]).toEqual([48, 40]);
    await page.getByRole('button', { name: 'Dismiss' }).click();
    expect(await error.isVisible()).toBe(false);
  });

  it('stays while another size is made, and is there at once when one goes back', async () => {
    await dropOn(page, await png('a.png', 120, 100));
    await status(page, /^Done/);
    await page.getByRole('radio', { name: '4×' }).check();
    // Meanwhile, the user can still view and save the first result.
    expect(await page.getByTestId('compare').isVisible()).toBe(true);
    expect(await page.getByTestId('download-png').isVisible()).toBe(true);
    await page.getByTestId('cancel').click();
    await status(page, /^Cancelled/);
    expect(await page.locator('#tag-after').textContent()).toBe('Crispen on CPU 2×');
    await page.getByRole('button', { name: 'Keep that' }).click();
    await status(page, /^Done/);
    expect(await page.getByRole('radio', { name: '2×' }).isChecked()).toBe(true);
    await page.getByRole('radio', { name: '4×' }).check();
    await page.locator('#fact-to', { hasText: '480 × 400' }).waitFor();
    await status(page, /^Done/);
    // A result that already exists needs no run: the page shows it before the next frame.
    const phases = await page.evaluate(async () => {
      const seen: (string | undefined)[] = [];
      for (const scale of ['2', '4', '2']) {
        document.querySelector<HTMLInputElement>(`[name=scale][value="${scale}"]`)?.click();
        seen.push(document.body.dataset.phase, document.getElementById('fact-to')?.textContent);
      }
      return seen;
    });
    const [small, large] = ['240 × 200', '480 × 400'];
    expect(phases).toEqual(['done', small, 'done', large, 'done', small]);
  });

  it('is asked for before the page is left, until it is saved', async () => {
    const questions: string[] = [];
    page.on('dialog', (dialog) => {
      questions.push(dialog.type());
      void dialog.dismiss();
    });
    await page.getByTestId('file').setInputFiles(CAT);
    await status(page, /^Done/);
    // Browsers only ask for confirmation if the user has interacted with the page.
    await page.locator('#canvas').click({ position: { x: 20, y: 20 } });
    await page.evaluate(() => location.reload());
    await expect.poll(() => questions).toEqual(['beforeunload']);
    await status(page, /^Done/);
    await downloadBy(page, 'download-png');
    await page.reload();
    await status(page, /^(Ready|Done)/);
    expect(questions).toEqual(['beforeunload']);
  });

  it('is behind the welcome page after Back, and there again after Forward', async () => {
    await dropOn(page, await fileAt(CAT));
    await status(page, /^Done/);
    const welcome = page.getByRole('heading', { name: /Small picture in/ });
    await page.goBack();
    await welcome.waitFor();
    expect(await page.getByTestId('compare').isVisible()).toBe(false);
    await page.goForward();
    await status(page, /^Done/);
    await page.goBack();
    await page.getByRole('button', { name: 'Back to your pictures' }).click();
    await status(page, /^Done/);
    expect(await page.getByTestId('compare').isVisible()).toBe(true);
    expect(await welcome.isVisible()).toBe(false);
  });
});

describe('the queue', () => {
  it('takes many files and a model in one drop; a corrupt one stops nothing', async () => {
    const model: Given = { name: 'tiny.safetensors', bytes: tinyCheckpoint() };
    const [a, b] = [await png('a.png', 20, 12), await png('b.png', 16, 16)];
    await dropOn(page, a, text('broken.png'), model, b);
    await queueStatus(page, '2 of 3 done, 1 failed');
    expect(await names()).toEqual(['a.png', 'broken.png', 'b.png']);
    await page.getByTestId('own').getByText('Compact, 4×').waitFor();
    await tile(/^broken\.png, failed: The file contains text/).click();
    await page.getByTestId('error').filter({ hasText: 'contains text' }).waitFor();
    await tile(/^b\.png/).click();
    // The picture was enlarged with the model that was dropped together with it.
    expect(await sizeOfResult()).toBe('64 × 64');

    await page.getByRole('button', { name: 'Try again' }).click();
    await queueStatus(page, '2 of 3 done, 1 failed');

    const { name, bytes } = await downloadZip();
    expect(name).toBe('crispen.zip');
    const files = unzipped(bytes);
    expect([...files.keys()]).toEqual(['a@4x.png', 'b@4x.png']);
    const single = await downloadBy(page, 'download-png');
    expect(Buffer.compare(files.get('b@4x.png')!, single.bytes)).toBe(0);
    const { width, height } = await decode(files.get('a@4x.png')!);
    expect([width, height]).toEqual([80, 48]);
  });

  it('takes folders, without what is no picture in them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'crispen-'));
    try {
      await mkdir(join(folder, 'below'));
      await mkdir(join(folder, 'none'));
      const image = await readFile(CAT);
      for (const name of ['p10.png', 'p9.png', 'below/q.png']) {
        await writeFile(join(folder, name), image);
      }
      for (const name of ['.DS_Store', 'notes.txt', 'none/x.txt']) {
        await writeFile(join(folder, name), 'x');
      }
      await dropPaths(page, join(folder, 'none'));
      await page.getByTestId('error').filter({ hasText: 'no picture in that folder' }).waitFor();
      await dropPaths(page, folder, resolve(CAT));
      await queueStatus(page, '4 of 4 done');
      expect((await names()).sort()).toEqual(['chelsea-24x20.png', 'p10.png', 'p9.png', 'q.png']);
      expect((await names()).indexOf('p9.png')).toBeLessThan((await names()).indexOf('p10.png'));
      await page.getByTestId('error').filter({ hasText: '3 files were left out' }).waitFor();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is put into order, and gives back what was removed', async () => {
    const files = ['a.png', 'b.png', 'c.png'];
    await dropOn(page, ...(await Promise.all(files.map((name) => png(name, 12, 8)))));
    await queueStatus(page, '3 of 3 done');
    await tile(/^c\.png/).press('Alt+ArrowLeft');
    expect(await names()).toEqual(['a.png', 'c.png', 'b.png']);
    await tile(/^a\.png/).dragTo(tile(/^b\.png/));
    expect(await names()).toEqual(['c.png', 'b.png', 'a.png']);
    await page.getByRole('button', { name: 'Remove all' }).click();
    await page.getByRole('heading', { name: /Small picture in/ }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    expect(await names()).toEqual(['c.png', 'b.png', 'a.png']);
    await queueStatus(page, '3 of 3 done');
    await tile(/^b\.png/).press('Delete');
    expect(await names()).toEqual(['c.png', 'a.png']);
    await page.getByText('Removed b.png.').waitFor();
  });

  it('is paused, cancelled, started again and saved to a folder', async () => {
    // A folder in OPFS replaces the browser's picker, which only a person can operate.
    await page.evaluate(() => {
      Object.assign(window, {
        async showDirectoryPicker() {
          const root = await navigator.storage.getDirectory();
          return root.getDirectoryHandle('chosen', { create: true });
        },
      });
    });
    const files = ['a.png', 'a.png', 'b.png'];
    await dropOn(page, ...(await Promise.all(files.map((name) => png(name, 240, 240)))));
    await page.getByRole('button', { name: 'Pause' }).click();
    await queueStatus(page, '1 of 3 done, paused');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('button', { name: 'Cancel all' }).click();
    await queueStatus(page, '1 of 3 done, 2 cancelled');
    await page.getByRole('button', { name: 'Try again' }).click();
    await queueStatus(page, '3 of 3 done');
    await page.getByTestId('save-folder').click();
    const written = () =>
      page.evaluate(async () => {
        const root = await navigator.storage.getDirectory();
        const folder = await root.getDirectoryHandle('chosen', { create: true });
        const sizes: Record<string, number> = {};
        for await (const handle of folder.values()) {
          const file = await (handle as FileSystemFileHandle).getFile();
          sizes[handle.name] = (await createImageBitmap(file)).width;
        }
        return sizes;
      });
    await expect.poll(written).toEqual({ 'a@2x.png': 480, 'a@2x (2).png': 480, 'b@2x.png': 480 });
  });
});

/** Without a picker, the page downloads the archive. */
async function downloadZip() {
  await page.evaluate(() => Object.assign(window, { showSaveFilePicker: undefined }));
  return downloadBy(page, 'save-zip');
}

/** Reads an archive's stored files, using its central directory. */
function unzipped(bytes: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count--) {
    const [size, nameLength] = [bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28)];
    const skipped = bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    files.set(name, bytes.subarray(start, start + size));
    at += 46 + nameLength + skipped;
  }
  return files;
}

it('a zipped picture is the one that was made', async () => {
  const files = [await png('one.png', 12, 10), await png('two.png', 10, 12)];
  await dropOn(page, ...files);
  await queueStatus(page, '2 of 2 done');
  const zipped = unzipped((await downloadZip()).bytes);
  await tile(/^one\.png/).click();
  const single = await downloadBy(page, 'download-png');
  expectSamePicture(await decode(zipped.get('one@2x.png')!), await decode(single.bytes));
});
