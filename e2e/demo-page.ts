import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Browser, Page } from 'playwright';
import { expect, inject } from 'vitest';

/** The demo as its tests use it. */

export interface Given {
  readonly name: string;
  readonly bytes: Uint8Array | readonly number[];
}

export const fileAt = async (path: string): Promise<Given> => ({
  name: basename(path),
  bytes: await readFile(path),
});

/** Drops files onto the page as the mouse would. */
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

/** Drops paths of this machine, folders too, through the browser's own machinery. */
export async function dropPaths(page: Page, ...paths: string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
  }
  await session.detach();
}

/** Status texts are the live region that a screen reader speaks. */
export async function status(page: Page, text: RegExp): Promise<void> {
  await page.getByTestId('status').filter({ hasText: text }).waitFor();
}

export async function queueStatus(page: Page, text: string | RegExp): Promise<void> {
  await page.getByTestId('queue-status').filter({ hasText: text }).waitFor();
}

/** What a click hands to the download manager. */
export async function downloadBy(page: Page, testId: string) {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId(testId).click(),
  ]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

/** Visible elements whose content is wider than they are, or that stick out of the window. */
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
 * The page starts with the best photo model, however slow the machine, so that results can be compared. What
 * the page chooses by itself has its own test.
 */
export const startWithPhoto = (page: Page): Promise<unknown> =>
  page.addInitScript(() => {
    const key = 'crispen-settings';
    const settings = { task: 'upscale', size: { scale: 2 }, kind: 'photo' };
    if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(settings));
  });

/** Opens the demo in a page; `close` fails if anything went unhandled on it. */
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
 * What the demo has written for a later visit. It writes shortly after each change, so a test that
 * reloads the page waits for what it needs.
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
        // A new file is empty until it is closed.
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
