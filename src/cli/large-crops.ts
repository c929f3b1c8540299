/**
 * Draws parts of photos at four times their size: with a plain resize, with the default model, and
 * with each sharp model.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultModel, MODEL_FILES } from '../catalog/files.ts';
import { resample } from '../image/resample.ts';
import type { Measurer } from '../node/backend.ts';
import { readImage } from '../node/images.ts';
import { chooseModel, PACKAGE_ROOT } from '../node/model.ts';
import { writeRow } from './pictures.ts';

/** The folder that contains crops of freely licensed photos. Its README lists their sources. */
export const PHOTOS = join(PACKAGE_ROOT, 'docs/quality/photos');
const SCALE = 4;

interface LargeScene {
  /** The photo's name. The resulting image is called `NAME-large.webp`. */
  readonly name: string;
  readonly title: string;
  /**
   * A remark by a person who looked at the image at 100 % zoom. It also says where a model's
   * result looks worse than the plain resize.
   */
  readonly seen: string;
}

const SCENES: readonly LargeScene[] = [
  {
    name: 'text',
    title: 'Text',
    seen: 'Letters and seams have sharp edges. Letters that the photo hardly resolves are guessed, some of them wrongly (ASHBY), and the weave of the suit is smoother than in the plain enlargement. The sharp model gives the cloth a weave and small wrinkles, and guesses the same letters.',
  },
  {
    name: 'face',
    title: 'A face',
    seen: 'Eyes, teeth and outlines are sharp. With the photo model, hair looks a little painted, and the skin loses some of its texture. With the sharp model, hair and skin have fine detail. Some of the lines on the skin are invented.',
  },
  {
    name: 'leaves',
    title: 'Leaves and fur',
    seen: 'The edges of leaves are clean. Fine hairs of the fur grow together into thicker strokes; there the plain enlargement looks softer but more natural. The sharp model separates the hairs again and gives the leaves a light grain.',
  },
  {
    name: 'building',
    title: 'A building',
    seen: 'Bars are straight, without steps and halos. The faint slats in the shadow on the right are weaker than in the plain enlargement, and the edge of the post is uneven. The sharp model shows the slats more clearly. It adds a little grain to the walls, and some edges are rougher.',
  },
  {
    name: 'cat',
    title: 'The cat',
    seen: 'The whiskers stay, and the eye is sharper. With the photo model, short fur becomes a pattern of small curls that the photo does not have. With the sharp model, the fur is finer, and smooth areas have a light grain.',
  },
];

/**
 * Draws an image for each scene and writes it to the folder as `NAME-large.webp`.
 * @returns a section about the images, as lines of Markdown
 */
export async function drawLargeCrops(measurer: Measurer, folder: string): Promise<string[]> {
  const sharps = MODEL_FILES.filter(({ kind, scale }) => kind === 'sharp' && scale === SCALE);
  const ids = [defaultModel(SCALE).id, ...sharps.map(({ id }) => id)];
  const photos = await Promise.all(
    SCENES.map(({ name }) => readImage(join(PHOTOS, `${name}.png`))),
  );
  const rows = photos.map((photo) => [
    resample(photo, photo.width * SCALE, photo.height * SCALE, 'bicubic'),
  ]);
  // Each model enlarges all photos before the next one is loaded, because the PyTorch measurer
  // (torch.ts) keeps only the last model.
  for (const id of ids) {
    const { network, weights } = await chooseModel({ model: id });
    const run = await measurer.load(network, weights);
    for (const [i, photo] of photos.entries()) rows[i].push((await run(photo)).image);
  }
  await mkdir(folder, { recursive: true });
  for (const [i, { name }] of SCENES.entries()) {
    const path = join(folder, `${name}-large.webp`);
    await writeRow(path, rows[i], { zoom: 1, alpha: 1, quality: 90 });
  }
  const names = ['plain enlargement (bicubic)', ...ids].join(' · ');
  return [
    ...['', TITLE, ''],
    'These photos are shown as they are, so there is no reference image to compare with. `npm run quality:crops` makes the pictures from',
    `[docs/quality/photos](docs/quality/photos/README.md). From left to right: ${names}.`,
    'The remarks state what one person saw at 100 % on 30 November 2026.',
    ...SCENES.flatMap(({ name, title, seen }) => [
      ...['', `### ${title}`, '', seen, ''],
      `![${title}: ${names}](docs/quality/${name}-large.webp)`,
    ]),
  ];
}

export const TITLE = '## Four times, as photos come';
