import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Browser, Page } from 'playwright';
import { expect, inject } from 'vitest';

/** Functions that tests use to operate the demo. */

export interface Given {
  readonly name: string;
  readonly bytes: Uint8Array | readonly number[];
}

export const fileAt = async (path: string): Promise<Given> => ({
  name: basename(path),
  bytes: await readFile(path),
});

/** Drops files onto the page, as a user would with the mouse. */
export async function dropOn(page: Page, ...files: readonly Given[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    (files) => {
      const transfer = new DataTransfer();
      for (const { name, bytes } of files) {
        transfer.items.add(new File([Uint8Array.from(bytes)], name));
      }
      return transfer;
    },
    files.map(({ name, bytes }) => ({ name, bytes: [...bytes] })),
  );
  await page.getByTestId('drop').dispatchEvent('drop', { dataTransfer: transfer });
}

/**
 * Drops this machine's files and folders, given as paths, through the browser's own drag-and-drop
 * code.
 */
export async function dropPaths(page: Page, ...paths: string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
  }
  await session.detach();
}

/** Waits for a status message, which appears in the live region that screen readers read aloud. */
export async function status(page: Page, text: RegExp): Promise<void> {
  await page.getByTestId('status').filter({ hasText: text }).waitFor();
}

export async function queueStatus(page: Page, text: string | RegExp): Promise<void> {
  await page.getByTestId('queue-status').filter({ hasText: text }).waitFor();
}

/** Clicks a button and returns the file that it downloads. */
export async function downloadBy(page: Page, testId: string) {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId(testId).click(),
  ]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

/**
 * Returns the visible elements that are narrower than their content or extend beyond the window.
 */
export const overflowing = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('.panel, .panel *, .bar, .bar *, .view, .zoom')]
      .filter((element) => element.checkVisibility() && !element.matches('input, svg, svg *'))
      .filter(
        (element) =>
          (getComputedStyle(element).display !== 'inline' &&
            element.scrollWidth > element.clientWidth + 1) ||
          element.getBoundingClientRect().right > innerWidth + 0.5,
      )
      .map(
        ({ tagName, id, textContent }) => `${tagName}#${id} ${textContent?.trim().slice(0, 40)}`,
      ),
  );

/**
 * Makes the page start with the best photo model, even on a slow machine, so that results are
 * comparable. Another test covers the automatic choice.
 */
export const startWithPhoto = (page: Page): Promise<unknown> =>
  page.addInitScript(() => {
    const key = 'crispen-settings';
    const settings = { task: 'upscale', size: { scale: 2 }, kind: 'photo' };
    if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(settings));
  });

/** Opens the demo in a page. `close` fails if the page had an unhandled error. */
export async function openDemo(browser: Browser, options: Parameters<Browser['newPage']>[0] = {}) {
  const page = await browser.newPage(options);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await startWithPhoto(page);
  await page.goto(inject('siteUrl'));
  const close = async () => {
    await page.close();
    expect(complaints).toEqual([]);
  };
  return { page, close };
}

/**
 * Returns the data that the demo has stored for a later visit. The demo stores the data shortly
 * after each change, so a test must wait for it before reloading the page.
 */
export const kept = (page: Page) =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('crispen-pictures', { create: true });
    const files: string[] = [];
    const pictures: { name: string; id: string; phase: string; strength: number }[] = [];
    let selected: string | null = null;
    for await (const [name, handle] of folder.entries()) {
      if (!name.endsWith('.json')) files.push(name.replace(/^.*(?=\.\w+$)/, ''));
      else {
        const text = await (await (handle as FileSystemFileHandle).getFile()).text();
        // A newly created file is empty until its writer closes it.
        const facts = text ? JSON.parse(text) : {};
        if (name === 'queue.json') selected = facts.selected ?? null;
        else pictures.push(facts);
      }
    }
    return {
      files: files.sort(),
      pictures: pictures.map(({ name, phase, strength }) => ({ name, phase, strength })),
      selected: pictures.find(({ id }) => id === selected)?.name,
    };
  });
