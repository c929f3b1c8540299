/** Tests how the element treats the image inside it: boxes, pixels, files and links. */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { animatedPng } from '../test/animations.ts';
import { launch } from './browser.ts';
import { decode } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

const X2 = '/test/checkpoints/compact_x2_params_views_zip.pth';
const X3 = '/test/checkpoints/compact_x3_params_bf16_zip.pth';
const PHOTO = 'e2e/images/chelsea-24x20.png';

let site: Served;
let browser: Browser;
let page: Page;
let complaints: string[];

const solid = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } })
    .png()
    .toBuffer();

/** Requests for URLs with these endings receive these bytes, without a MIME type. */
let files: Record<string, Uint8Array>;

async function open(path: string, options: Parameters<Browser['newPage']>[0] = {}) {
  page = await browser.newPage({ viewport: { width: 800, height: 600 }, ...options });
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.route('**/file/**', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1) ?? '';
    const headers = { 'cache-control': 'max-age=600', 'content-type': 'image/png' };
    const body = files[name];
    return body
      ? route.fulfill({ headers, body: Buffer.from(body) })
      : route.fulfill({ status: 404 });
  });
  await page.goto(`${site.url}${path}`);
}

/** Shows HTML in the element's page, and waits until all elements have finished. */
async function show(html: string, css = '', options: Parameters<Browser['newPage']>[0] = {}) {
  await open('element', options);
  await page.waitForFunction(() => window.element !== undefined);
  if (css) await page.addStyleTag({ content: css });
  await page.evaluate((text) => {
    document.body.innerHTML = text;
  }, html);
  await settled();
}

const settled = () =>
  page.waitForFunction(() =>
    [...document.querySelectorAll('crispen-image')].every(({ state }) =>
      /done|skipped|failed/.test(state),
    ),
  );
const facts = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('crispen-image')].map(({ state, skipped, result }) => [
      ...[state, skipped, result && `${result.width} x ${result.height}`],
    ]),
  );

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: true });
  files = {
    'red.png': await solid(40, 30, '#f00'),
    'clear.png': await solid(40, 30, 'rgb(255 0 0 / 40%)'),
    'small.png': await solid(32, 24, '#f00'),
    'large.png': await solid(64, 48, '#f00'),
  };
});
afterAll(async () => {
  await browser.close();
  await site.close();
});
afterEach(async () => {
  expect(complaints).toEqual([]);
  await page.close();
});

describe('the comparison', () => {
  /**
   * The original is red, and the result is its negative. The page is white, and borders are blue.
   */
  const CSS = `
    body { margin: 10px; background: #fff }
    crispen-image { --crispen-fade: 0ms }
    crispen-image::part(result) { filter: invert(1) !important }
    crispen-image::part(divider) { display: none }`;
  const element = (inside: string, attributes = '') =>
    `<crispen-image compare loading=eager model=${X2} ${attributes}>${inside}</crispen-image>`;
  const img = '<img src="/file/red.png" alt="x" width="160" height="120">';
  const PREFLIGHT = 'img { display: block; max-width: 100%; height: auto }';

  it.each<[string, string, string]>([
    ['inline', element(img), ''],
    ['block', element(img), PREFLIGHT],
    ['block, wider element', element(img), `${PREFLIGHT} crispen-image { display: block }`],
    ['block, narrower element', element(img), `${PREFLIGHT} crispen-image { width: 120px }`],
    ['centred', element(img), `${PREFLIGHT} crispen-image { display: block } img { margin: auto }`],
    ['in a flex element', element(img), 'crispen-image { display: flex; justify-content: center }'],
    ['in a grid', `<div class=g>${element(img)}</div>`, '.g { display: grid }'],
    [
      'filling an element of given size',
      element(img),
      `${PREFLIGHT} crispen-image { width: 300px; height: 90px }
       crispen-image img { width: 100%; height: 100%; object-fit: cover }`,
    ],
    [
      'of fractional size',
      element(img),
      'img { width: 150.4px; height: 112.8px; margin-left: 0.3px }',
    ],
    ['picture', element(`<picture><source srcset="/file/red.png">${img}</picture>`), ''],
    ['picture of a block', element(`<picture>${img}</picture>`), PREFLIGHT],
    ['bordered', element(img), 'img { border: 6px solid #00f }'],
    [
      'bordered and padded',
      element(img),
      'img { border: 6px solid #00f; padding: 8px 4px; box-sizing: border-box }',
    ],
    ['own image', element('', 'src="/file/red.png" width=160 height=120'), ''],
    [
      'own image, bordered',
      element('', 'src="/file/red.png" width=160 height=120'),
      'crispen-image::part(original) { box-sizing: border-box; border: 6px solid #00f }',
    ],
    [
      'padded element with a border',
      element(img),
      'crispen-image { padding: 11px; border: 6px solid #0ff }',
    ],
    [
      'in a scaled page',
      element(img),
      'body { transform: scale(0.75); transform-origin: 0 0 } img { margin: 20px }',
    ],
    [
      'translucent',
      element(img.replace('red', 'clear')),
      `${PREFLIGHT} crispen-image { display: block }`,
    ],
  ])('is right: %s', async (_, html, css) => {
    await show(html, CSS + css);
    expect(await facts()).toEqual([['done', null, '80 x 60']]);
    /** The content box and the border box, in screen coordinates. */
    const boxes = await page.evaluate(() => {
      const host = document.querySelector('crispen-image')!;
      const image = host.querySelector('img') ?? host.shadowRoot!.querySelector('img')!;
      const { left, top, width, height } = image.getBoundingClientRect();
      const zoom = width / image.offsetWidth;
      const style = getComputedStyle(image);
      const inset = (side: string) =>
        (Number.parseFloat(style.getPropertyValue(`border-${side}-width`)) +
          Number.parseFloat(style.getPropertyValue(`padding-${side}`))) *
        zoom;
      const [l, t] = [inset('left'), inset('top')];
      return {
        outer: { left, top, width, height },
        inner: { left: left + l, top: top + t, width: width - 2 * l, height: height - 2 * t },
        border: style.borderTopWidth === '0px' ? 0 : 3 * zoom,
      };
    });
    const { outer, inner, border } = boxes;
    for (const split of [0.25, 0.75, 0, 1]) {
      await page.evaluate((at) => {
        document.querySelector('crispen-image')!.value = at;
      }, split * 100);
      const { data, width } = await decode(await page.screenshot());
      const at = (x: number, y: number) => [
        ...data.subarray((Math.floor(y) * width + Math.floor(x)) * 4).subarray(0, 3),
      ];
      const line = inner.left + inner.width * split;
      const [right, bottom] = [inner.left + inner.width, inner.top + inner.height];
      const original = html.includes('clear') ? [255, 153, 153] : [255, 0, 0];
      for (const y of [inner.top + 3, inner.top + inner.height / 2, bottom - 4]) {
        for (const x of [inner.left + 3, line - 4, line + 4, right - 4]) {
          if (x < inner.left + 2 || x > right - 2) continue;
          const seen = at(x, y);
          const near = seen.every((value, i) => Math.abs(value - original[i]) < 4);
          // The translucent original must not be visible below the result, which would then no
          // longer be cyan.
          expect([split, x, y, seen, near]).toEqual([split, x, y, seen, x < line]);
          if (x >= line) expect(seen[2]).toBeGreaterThan(seen[0] + 20);
        }
      }
      if (border === 0) continue;
      for (const [x, y] of [
        [outer.left + border, outer.top + outer.height / 2],
        [outer.left + outer.width - border, outer.top + outer.height / 2],
        [outer.left + outer.width * 0.9, outer.top + border],
        [outer.left + outer.width * 0.9, outer.top + outer.height - border],
      ]) {
        expect([split, x, y, at(x, y)]).toEqual([split, x, y, [0, 0, 255]]);
      }
    }
  });

  it.each(['none', 'scale-down', 'contain', 'cover'])('keeps object-fit: %s', async (fit) => {
    const css = `img { width: 200px; height: 160px; object-fit: ${fit}; object-position: 100% 25%;
      border-radius: 30px; border: 6px solid #00f; background: #fff }`;
    await show(element(img, 'max-pixels=99999999'), CSS + css);
    // At its own size, the image needs no enlargement, so this test requests a file to force a
    // result.
    await page.evaluate(() => document.querySelector('crispen-image')!.toBlob());
    await settled();
    /**
     * Pixels that are red in the original but not in the result must change. Plain white and blue
     * pixels must not change.
     */
    const shots = [];
    for (const split of [1, 0]) {
      await page.evaluate((at) => {
        document.querySelector('crispen-image')!.value = at;
      }, split * 100);
      shots.push(await decode(await page.screenshot()));
    }
    const [before, after] = shots;
    let [red, wrong] = [0, 0];
    for (let i = 0; i < before.data.length; i += 4) {
      const [r, g, b] = before.data.subarray(i, i + 3);
      const isRed = r > 200 && g < 60 && b < 60;
      const isPlain = (r === 255 && g === 255 && b === 255) || (r === 0 && g === 0 && b === 255);
      const same = [0, 1, 2].every((c) => Math.abs(before.data[i + c] - after.data[i + c]) < 24);
      if (isRed) red++;
      // The remaining pixels are smoothed edges. A pixel that the border and the hole share differs
      // by a few levels.
      if ((isRed && same) || (isPlain && !same)) wrong++;
    }
    expect(red).toBeGreaterThan(1000);
    expect(wrong).toBe(0);
  });

  it('moves the divider within a link without following it; a click follows it', async () => {
    const css = `${CSS} a { display: inline-block } crispen-image::part(divider) { display: block }`;
    await show(`<a href="#followed">${element(img)}<b>caption</b></a>`, css);
    const value = () => page.evaluate(() => document.querySelector('crispen-image')!.value);
    const hash = () => page.evaluate(() => location.hash);
    const back = async () => {
      await page.evaluate(() => history.back());
      await expect.poll(hash).toBe('');
    };
    const { x, y } = (await page.locator('crispen-image').boundingBox())!;
    const drag = async (from: number, ...to: number[]) => {
      await page.mouse.move(x + from, y + 30);
      await page.mouse.down();
      for (const place of to) await page.mouse.move(x + place, y + 30);
      await page.mouse.up();
    };
    // Dragging moves the divider and does not follow the link, whether it starts on the divider or
    // elsewhere.
    await drag(80, 100, 130, 120);
    expect([await value(), await hash()]).toEqual([75, '']);
    await drag(20, 60, 40);
    expect([await value(), await hash()]).toEqual([25, '']);
    // A click follows the link and leaves the divider in place, even if the pointer moves slightly.
    await page.mouse.click(x + 120, y + 30);
    expect([await value(), await hash()]).toEqual([25, '#followed']);
    await back();
    await drag(120, 122);
    expect([await value(), await hash()]).toEqual([25, '#followed']);
    await back();
    // The divider is not part of the link, so clicks and keys on it do not follow the link.
    await page.mouse.click(x + 44, y + 30);
    await page.getByRole('slider').press('ArrowLeft');
    await page.getByRole('slider').press('Enter');
    await page.getByRole('slider').press(' ');
    expect([await value(), await hash()]).toEqual([26.5, '']);
    await page.getByText('caption').click();
    expect(await hash()).toBe('#followed');
    await back();
    await page.locator('a').press('Enter');
    expect(await hash()).toBe('#followed');
    await back();
    // Without a divider, a click on the image follows the link.
    await page.evaluate(() => {
      document.querySelector('crispen-image')!.compare = false;
    });
    await page.mouse.click(x + 40, y + 30);
    expect(await hash()).toBe('#followed');
  });

  it('without a link, a press moves the divider at once', async () => {
    await show(element(img), CSS);
    const { x, y } = (await page.locator('crispen-image').boundingBox())!;
    await page.mouse.click(x + 40, y + 30);
    expect(await page.evaluate(() => document.querySelector('crispen-image')!.value)).toBe(25);
  });

  it('is set by value, tells of each move by the visitor, and no other', async () => {
    await show(element(img, 'value=25'), `${CSS} crispen-image::part(divider) { display: block }`);
    await page.evaluate(() => {
      const element = document.querySelector('crispen-image')!;
      const slides: number[] = [];
      Object.assign(window, { slides });
      element.addEventListener('slide', ({ detail }) => slides.push(detail.value));
    });
    const state = () =>
      page.evaluate(() => {
        const { slides } = window as unknown as { slides: number[] };
        const { value } = document.querySelector('crispen-image')!;
        return [value, slides];
      });
    const set = (value: string | null) =>
      page.evaluate((text) => {
        const element = document.querySelector('crispen-image')!;
        if (text === null) element.removeAttribute('value');
        else element.setAttribute('value', text);
      }, value);
    expect(await state()).toEqual([25, []]);
    const slider = page.getByRole('slider');
    await slider.press('ArrowRight');
    await slider.press('Home');
    // At the end of its range, the divider does not move.
    await slider.press('ArrowLeft');
    expect(await state()).toEqual([0, [26, 0]]);
    for (const [text, value] of [
      ['62.5', 62.5],
      ['-7', 0],
      ['1e9', 100],
      ['left', 100],
      ['29', 29],
      [null, 50],
    ] as const) {
      await set(text);
      expect((await state())[0]).toBe(value);
    }
    await page.evaluate(() => {
      document.querySelector('crispen-image')!.value = 75;
    });
    const { x, y } = (await page.locator('crispen-image').boundingBox())!;
    await page.mouse.click(x + 16, y + 30);
    expect(await state()).toEqual([10, [26, 0, 10]]);
    expect(await slider.getAttribute('aria-valuenow')).toBe('10');
  });

  it('moves up and down with vertical, with the original above', async () => {
    await show(element(img, 'vertical value=25'), CSS);
    const { x, y } = (await page.locator('crispen-image').boundingBox())!;
    const seen = async () => {
      const { data, width } = await decode(await page.screenshot());
      const at = (top: number) => [
        ...data.subarray((Math.floor(y + top) * width + Math.floor(x + 80)) * 4).subarray(0, 3),
      ];
      return [10, 26, 34, 86, 94, 110].map((top) => (at(top)[0] > 200 ? 'red' : 'cyan'));
    };
    expect(await seen()).toEqual(['red', 'red', 'cyan', 'cyan', 'cyan', 'cyan']);
    await page.mouse.move(x + 5, y + 30);
    await page.mouse.down();
    await page.mouse.move(x + 150, y + 90, { steps: 3 });
    await page.mouse.up();
    expect(await seen()).toEqual(['red', 'red', 'red', 'red', 'cyan', 'cyan']);
    await page.addStyleTag({
      content: 'crispen-image::part(divider) { display: block !important }',
    });
    const slider = page.getByRole('slider');
    expect(await slider.getAttribute('aria-orientation')).toBe('vertical');
    const box = (await slider.boundingBox())!;
    expect([box.width, box.y + box.height / 2]).toEqual([160, y + 90]);
    await slider.press('ArrowUp');
    await slider.press('ArrowUp');
    await slider.press('ArrowDown');
    const value = () => page.evaluate(() => document.querySelector('crispen-image')!.value);
    expect(await value()).toBe(74);
    await slider.press('End');
    expect(await value()).toBe(100);
  });

  it('takes a handle of the page, whose image is not the picture', async () => {
    const icon = '<span slot="handle"><img src="/file/none.png" alt=""><b>move</b></span>';
    await show(
      element(`${icon}${img}`),
      `${CSS}crispen-image::part(divider) { display: block !important }`,
    );
    expect(await facts()).toEqual([['done', null, '80 x 60']]);
    expect(
      await page
        .locator('crispen-image')
        .evaluate((e) => e.shadowRoot!.querySelector('[part=handle]')!.checkVisibility()),
    ).toBe(false);
    const [host, handle] = await Promise.all([
      page.locator('crispen-image').boundingBox(),
      page.getByText('move').boundingBox(),
    ]);
    expect(Math.abs(handle!.y + handle!.height / 2 - (host!.y + 60))).toBeLessThan(14);
    // The user can grab the divider by its handle.
    await page.mouse.move(handle!.x + 3, handle!.y + 3);
    await page.mouse.down();
    await page.mouse.move(host!.x + 40, handle!.y + 3, { steps: 3 });
    await page.mouse.up();
    expect(await page.evaluate(() => document.querySelector('crispen-image')!.value)).toBe(25);
  });
});

describe('the enlarged picture', () => {
  it('is an image for the browser once a pointer is on it', async () => {
    const size = 'width=160 height=120';
    await show(`<crispen-image src="/file/clear.png" model=${X2} ${size} alt=x></crispen-image>`);
    const blob = () =>
      page.evaluate(async () => [
        ...new Uint8Array(
          await (await document.querySelector('crispen-image')!.toBlob()).arrayBuffer(),
        ),
      ]);
    const before = await decode(await blob());
    await page.evaluate(() => {
      Object.assign(window, { dragged: [] as unknown[] });
      addEventListener('dragstart', (event) => {
        const [target] = event.composedPath() as HTMLImageElement[];
        const types = [...(event.dataTransfer?.types ?? [])];
        (window as unknown as { dragged: unknown[] }).dragged.push([
          ...[target.localName, target.naturalWidth, types.includes('Files')],
        ]);
      });
    });
    const { x, y } = (await page.locator('crispen-image').boundingBox())!;
    await page.mouse.move(x + 40, y + 30);
    const under = () =>
      page.evaluate(
        ([left, top]) => {
          const { shadowRoot } = document.querySelector('crispen-image')!;
          const found = shadowRoot!.elementFromPoint(left, top) as HTMLImageElement;
          return [found.localName, found.naturalWidth, found.naturalHeight, found.alt];
        },
        [x + 40, y + 30],
      );
    await expect.poll(under).toEqual(['img', 80, 60, 'x']);
    await page.mouse.down();
    for (const to of [60, 90, 120]) await page.mouse.move(x + to, y + 50);
    await page.mouse.up();
    const dragged = await page.evaluate(
      () => (window as unknown as { dragged: unknown[] }).dragged,
    );
    expect(dragged).toEqual([['img', 80, true]]);
    // The file is the same as before, including transparency. The accessibility tree has one image.
    const after = await decode(await blob());
    expect(after).toEqual(before);
    expect(await page.getByRole('img').count()).toBe(1);
    // The result disappears when the new image needs no enlargement.
    await page.evaluate(() => {
      document.querySelector('crispen-image')!.width = 20;
      document.querySelector('crispen-image')!.height = 15;
      document.querySelector('crispen-image')!.src = '/file/red.png';
    });
    await settled();
    expect(await facts()).toEqual([['skipped', 'unneeded', null]]);
  });
});

describe('moving pictures', () => {
  it('are left alone whatever their address says, stills are not', async () => {
    const frame = (count: number) => {
      const data = Buffer.from(Array.from({ length: 24 * 24 * 3 * count }, (_, i) => i % 251));
      return sharp(data, { raw: { width: 24, height: 24 * count, channels: 3, pageHeight: 24 } });
    };
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"></svg>';
    Object.assign(files, {
      gif: await frame(2).gif().toBuffer(),
      'gif.png': await frame(2).gif().toBuffer(),
      webp: await frame(2).webp().toBuffer(),
      apng: await animatedPng(2),
      'default.png': await animatedPng(1, { isDefaultApart: true }),
      'still.gif': await frame(1).gif().toBuffer(),
      'still.png': await animatedPng(1),
      'still.webp': await frame(1).webp({ force: true }).toBuffer(),
    });
    const element = (src: string) =>
      `<crispen-image src="${src}" model=${X2} loading=eager width=96 height=96></crispen-image>`;
    const moving = ['gif', 'gif.png', 'webp', 'apng?x=a.jpg', 'default.png'];
    const still = ['still.gif', 'still.png', 'still.webp'];
    const all = [...moving, ...still].map((name) => element(`/file/${name}`));
    await show(all.join(''));
    expect(await facts()).toEqual([
      ...moving.map(() => ['skipped', 'format', null]),
      ...still.map(() => ['done', null, '48 x 48']),
    ]);
    const log = await page.evaluate(() => window.element.log);
    expect(log).toEqual([]);

    // The sources are a Blob, which has no file name, and a drawing.
    const blobs = [files.webp, new TextEncoder().encode(svg)];
    await page.evaluate(
      async ([list, model]) => {
        document.body.replaceChildren();
        list.forEach((bytes, i) => {
          const type = i === 1 ? 'image/svg+xml' : 'image/webp';
          const src = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type }));
          const attributes = { src, model, width: '96', height: '96', loading: 'eager' };
          window.element.add(`b${i}`, attributes);
        });
      },
      [blobs.map((bytes) => [...bytes]), X2] as const,
    );
    await settled();
    expect(await facts()).toEqual(blobs.map(() => ['skipped', 'format', null]));
    expect(await page.evaluate(() => window.element.log)).toEqual([]);
    // If the page requests a file, the element reports why it cannot create one, and stays
    // unchanged.
    const code = await page.evaluate(() =>
      window.element
        .get('b0')
        .toBlob()
        .catch((error: { code: string }) => error.code),
    );
    expect(code).toBe('INVALID_INPUT');
    expect(await facts()).toEqual(blobs.map(() => ['skipped', 'format', null]));
  });
});

describe('pictures of several files', () => {
  const wrap = (inside: string, attributes = '') =>
    `<crispen-image loading=eager model=${X2} ${attributes}>${inside}</crispen-image>`;
  const size = 'width=16 height=12 alt=x';
  const SMALL = '/file/small.png';

  it('are judged by the pixels of the file that is shown', async () => {
    const html = [
      wrap(`<img src=${SMALL} ${size}>`),
      wrap(`<img srcset="/file/red.png 1x, ${SMALL} 2x" ${size}>`),
      wrap(`<picture><source srcset="${SMALL} 32w" sizes=16px><img ${size}></picture>`),
      // An image of 64 x 48 in a box of 32 x 24 screen pixels.
      wrap(`<img srcset="/file/large.png 2x" width=32 height=24 alt=x>`),
      wrap(`<img srcset="/file/large.png 4x" width=32 height=24 alt=x>`),
      // An image of 32 x 24 in a box of 128 x 96 screen pixels.
      wrap(`<img srcset="${SMALL} 2x" width=64 height=48 alt=x>`, 'max-pixels=3072'),
      wrap(`<img srcset="${SMALL} 2x" width=64 height=48 alt=x>`, 'max-pixels=3071'),
      // A candidate image with a density below 1: the page treats an image of 32 x 24 as 64 x 48.
      wrap(`<img srcset="${SMALL} 0.5x" width=32 height=24 alt=x>`),
      wrap(`<picture><source srcset="${SMALL} 0.5x"><img width=16 height=12 alt=x></picture>`),
    ];
    await show(html.join(''), '', { deviceScaleFactor: 2 });
    expect(await facts()).toEqual([
      ...[0, 1, 2, 3, 4].map(() => ['skipped', 'unneeded', null]),
      ['done', null, '64 x 48'],
      ['skipped', 'too-large', null],
      ['done', null, '64 x 48'],
      ['skipped', 'unneeded', null],
    ]);
  });

  it('have the scale that fills the screen by auto', async () => {
    // An image of 32 x 24 in a box of 96 x 72 gets a scale of 3. The page treats the image as 16 x
    // 12, but this does not affect the scale.
    const image = `<img srcset="${SMALL} 2x" width=48 height=36 alt=x>`;
    const model = 'task=clean base-url=/public/models/';
    const html = wrap(image, `scale=auto ${model}`).replace(`model=${X2}`, '');
    await show(html, '', { deviceScaleFactor: 2 });
    expect(await facts()).toEqual([['done', null, '96 x 72']]);
  });

  it('are downloaded once', async () => {
    await open('element');
    const asked: string[] = [];
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.responseReceived', ({ response }) => {
      if (response.url.endsWith('chelsea-24x20.png?once')) {
        asked.push(response.fromDiskCache ? 'cache' : 'network');
      }
    });
    await page.unroute('**/file/**');
    await page.evaluate(
      ([src, model]) => window.element.add('e', { src, model, width: '72', height: '60' }),
      [`/${PHOTO}?once`, X2],
    );
    await page.waitForFunction(() => window.element.states().e === 'done');
    expect(asked.filter((from) => from === 'network')).toHaveLength(1);
  });
});

describe('properties set before the definition', () => {
  it.each(['relative', 'absolute'])('are taken over, with a %s address', async (kind) => {
    files['cat.png'] = await readFile(PHOTO);
    await open('bare');
    await page.evaluate(
      ([src, model]) => {
        const element = document.createElement('crispen-image');
        Object.assign(element, {
          id: 'e',
          src,
          model,
          alt: 'A cat',
          scale: 3,
          task: 'photo',
          loading: 'eager',
          compare: true,
          width: 72,
          height: 60,
          crossOrigin: 'anonymous',
          baseUrl: '/public/models/',
          maxPixels: 1e5,
          value: 25,
        });
        document.body.append(element);
      },
      [kind === 'relative' ? 'file/cat.png' : `${site.url}file/cat.png`, X3],
    );
    await page.addScriptTag({
      type: 'module',
      content: `
        await import('/src/element/define.ts');
        window.loads = 0;
        document.querySelector('#e').shadowRoot.querySelector('[part=original]')
          .addEventListener('load', () => window.loads++);`,
    });
    const read = () =>
      page.evaluate(() => {
        const element = document.getElementById('e') as HTMLElementTagNameMap['crispen-image'];
        const { src, model, alt, scale, task, loading, compare, width, height } = element;
        const { crossOrigin, baseUrl, maxPixels, value } = element;
        const all = { src, model, alt, scale, task, loading, compare, width, height };
        const more = { crossOrigin, baseUrl, maxPixels, value };
        return { ...all, ...more, own: Object.keys(element) };
      });
    const state = () => page.evaluate(() => document.querySelector('crispen-image')?.state);
    await expect.poll(state, { timeout: 60_000 }).toBe('done');
    const wanted = {
      src: `${site.url}file/cat.png`,
      model: X3,
      alt: 'A cat',
      scale: 3,
      task: 'photo',
      loading: 'eager',
      compare: true,
      width: 72,
      height: 60,
      crossOrigin: 'anonymous',
      baseUrl: `${site.url}public/models/`,
      maxPixels: 1e5,
      value: 25,
      own: [],
    };
    expect(await read()).toEqual(wanted);
    expect(await page.evaluate(() => document.querySelector('crispen-image')?.result?.width)).toBe(
      72,
    );
    // By this time, a second load would have happened.
    await page.waitForTimeout(500);
    const loads = () => page.evaluate(() => (window as unknown as { loads: number }).loads);
    expect(await loads()).toBeLessThanOrEqual(1);
    // Each property can be set again, or removed with null.
    const later = {
      src: `${site.url}file/red.png`,
      model: X2,
      alt: 'Red',
      scale: 2,
      task: 'clean',
      loading: 'lazy',
      compare: false,
      width: 160,
      height: 120,
      crossOrigin: null,
      baseUrl: `${site.url}models/`,
      maxPixels: 2e5,
      value: 50,
      own: [],
    };
    await page.evaluate(({ own, ...values }) => {
      Object.assign(document.querySelector('crispen-image')!, values);
    }, later);
    expect(await read()).toEqual(later);
    const width = () => page.evaluate(() => document.querySelector('crispen-image')?.result?.width);
    await expect.poll(width, { timeout: 60_000 }).toBe(80);
    await page.evaluate(() => {
      const nothing = {
        model: undefined,
        alt: null,
        scale: undefined,
        task: null,
        maxPixels: null,
      };
      Object.assign(document.querySelector('crispen-image')!, nothing, { value: Number.NaN });
    });
    expect(await read()).toMatchObject({
      model: '',
      alt: '',
      scale: 2,
      task: 'photo',
      maxPixels: 2 ** 24,
      value: 50,
    });
  });
});
