/** Tests the demo in the visitor's language. */
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { de } from '../demo/texts/de.ts';
import { en } from '../demo/texts/en.ts';
import { ja } from '../demo/texts/ja.ts';
import { launch } from './browser.ts';
import { dropOn, fileAt, openDemo, status } from './demo-page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

it('follows the browser, loads one language, and can be switched, which is remembered', async () => {
  const { page, close } = await openDemo(browser, { locale: 'de-AT' });
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByRole('button', { name: de.page.choose }).waitFor();
  const languages = () => loaded.filter((path) => /\/(de|es|ja|zh)-[\w-]+\.js$/.test(path));
  expect(languages().map((path) => /\/(\w\w)-/.exec(path)?.[1])).toEqual(['de']);
  expect(await page.title()).toBe(de.page.title);
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
  await dropOn(page, await fileAt('e2e/images/chelsea-24x20.png'));
  await status(page, /^Fertig in /);
  expect(await page.getByTestId('model').innerText()).toContain(de.kinds.photo.title);

  // Text that is already on the page changes too: cards, labels and the job's state.
  await page.getByTestId('language').selectOption('ja');
  await status(page, /完了しました/);
  expect(await page.title()).toBe(ja.page.title);
  expect(await page.getByTestId('model').innerText()).toContain(ja.kinds.photo.title);
  expect(await page.locator('#tag-before').innerText()).toBe(ja.page.original);
  const text = await page.evaluate(() => document.body.innerText);
  for (const word of [de.page.kind, de.page.saveAs, en.page.kind]) expect(text).not.toContain(word);

  await page.reload();
  await page.getByText(ja.page.settings).or(page.getByTestId('model')).first().waitFor();
  await page.waitForFunction(() => document.documentElement.lang === 'ja');
  await page.getByTestId('language').selectOption('en');
  await page.waitForFunction(() => document.documentElement.lang === 'en');
  expect(await page.getByTestId('model').innerText()).toContain(en.kinds.photo.title);
  await close();
});

it('says of an error what it means, beside the words of the library', async () => {
  const { page, close } = await openDemo(browser, { locale: 'de' });
  await page.waitForFunction(() => document.documentElement.lang === 'de');
  const notes = { name: 'notes.txt', bytes: new TextEncoder().encode('not a picture') };
  await dropOn(page, notes);
  await page
    .getByTestId('error')
    .filter({ hasText: de.errors?.DECODE_FAILED[0] ?? '' })
    .waitFor();
  await close();
});
