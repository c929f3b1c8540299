/**
 * Draws parts of photos at four times their size: once with a plain resize and once with each
 * model.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultModel, MODEL_FILES } from '../catalog/files.ts';
import type { Rgba8Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { Measurer } from '../node/backend.ts';
import { loadSharp, readImage } from '../node/images.ts';
import { chooseModel, PACKAGE_ROOT } from '../node/model.ts';

/** The folder that contains crops of freely licensed photos. Its README lists their sources. */
export const PHOTOS = join(PACKAGE_ROOT, 'docs/quality/photos');
const SCALE = 4;

interface LargeScene {
  /** The photo's name. The resulting image is called `NAME-large.webp`. */
  readonly name: string;
  readonly title: string;
  /**
   * A remark by a person who looked at the image at 100 % zoom. It also says where the model's
   * result looks worse than the plain resize.
   */
  readonly seen: string;
}

const SCENES: readonly LargeScene[] = [
  {
    name: 'text',
    title: 'Text',
    seen: 'Letters and seams have sharp edges. Letters that the photo hardly resolves are guessed, some of them wrongly (ASHBY), and the weave of the suit is smoother than in the plain enlargement.',
  },
  {
    name: 'face',
    title: 'A face',
    seen: 'Eyes, teeth and outlines are sharp. Hair looks a little painted, and the skin loses some of its texture.',
  },
  {
    name: 'leaves',
    title: 'Leaves and fur',
    seen: 'The edges of leaves are clean. Fine hairs of the fur grow together into thicker strokes; there the plain enlargement looks softer but more natural.',
  },
  {
    name: 'building',
    title: 'A building',
    seen: 'Bars are straight, without steps and halos. The faint slats in the shadow on the right are weaker than in the plain enlargement, and the edge of the post is uneven.',
  },
  {
    name: 'cat',
    title: 'The cat',
    seen: 'The whiskers stay, and the eye is sharper. Short fur becomes a pattern of small curls that the photo does not have.',
  },
];

/**
 * Draws an image for each scene and writes it to the folder as `NAME-large.webp`.
 * @returns a section about the images, as lines of Markdown
 */
export async function drawLargeCrops(measurer: Measurer, folder: string): Promise<string[]> {
  const sharps = MODEL_FILES.filter(({ id }) => id.endsWith(`-sharp-x${SCALE}`));
  const ids = [defaultModel(SCALE).id, ...sharps.map(({ id }) => id)];
  const runs = await Promise.all(
    ids.map(async (id) => {
      const { network, weights } = await chooseModel({ model: id });
      return measurer.load(network, weights);
    }),
  );
  await mkdir(folder, { recursive: true });
  for (const { name } of SCENES) {
    const photo = await readImage(join(PHOTOS, `${name}.png`));
    const [width, height] = [photo.width * SCALE, photo.height * SCALE];
    const columns = [resample(photo, width, height, 'bicubic')];
    for (const run of runs) columns.push((await run(photo)).image);
    await writeColumns(join(folder, `${name}-large.webp`), columns);
  }
  const names = ['plain enlargement (bicubic)', ...ids].join(' · ');
  return [
    ...['', TITLE, ''],
    'These photos are shown as they are, so there is no reference image to compare with. `npm run quality:crops` makes the pictures from',
    `[docs/quality/photos](docs/quality/photos/README.md). From left to right: ${names}.`,
    'The remarks state what one person saw at 100 % on 29 November 2026.',
    ...SCENES.flatMap(({ name, title, seen }) => [
      ...['', `### ${title}`, '', ...(seen ? [seen, ''] : [])],
      `![${title}: ${names}](docs/quality/${name}-large.webp)`,
    ]),
  ];
}

export const TITLE = '## Four times, as photos come';

/** Writes images side by side, without scaling them. */
async function writeColumns(path: string, columns: readonly Rgba8Image[]): Promise<void> {
  const sharp = await loadSharp();
  const gap = 8;
  const [{ width, height }] = columns;
  const tiles = columns.map(async ({ data }, i) => ({
    input: await sharp(data, { raw: { width, height, channels: 4 } })
      .png()
      .toBuffer(),
    left: i * (width + gap),
    top: 0,
  }));
  const background = { r: 255, g: 255, b: 255, alpha: 1 };
  const across = columns.length * (width + gap) - gap;
  await sharp({ create: { width: across, height, channels: 4, background } })
    .composite(await Promise.all(tiles))
    .webp({ quality: 90 })
    .toFile(path);
}
