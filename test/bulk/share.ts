import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { crispen, type Program } from './program.ts';

export interface ShareCounts {
  readonly pictures: number;
  /** The wall time of one run over all pictures, including start-up. */
  readonly seconds: number;
  /** The fraction of this time in which networks ran. */
  readonly engineShare: number;
  /** The time for one run per picture, extrapolated from `measured` timed runs. */
  readonly secondsOneByOne: number;
  readonly measured: number;
  readonly timesFaster: number;
}

/**
 * Times A2N x2 on the CPU with pictures of about 128 x 128 pixels: first one run over all pictures,
 * and then separate runs with one picture each.
 */
export async function share(
  program: Program,
  folder: string,
  pictures: number,
  measured: number,
): Promise<ShareCounts> {
  const from = join(folder, 'in');
  await mkdir(from, { recursive: true });
  const names: string[] = [];
  for (let i = 0; i < pictures; i++) {
    const [width, height] = [128 - (i % 5) * 3, 128 + (i % 7) * 2];
    const data = Buffer.from(
      Array.from({ length: width * height * 3 }, (_, at) => {
        const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
        return 128 + 90 * Math.sin(x / (5 + i) + (at % 3)) * Math.cos(y / 9);
      }),
    );
    const name = `${i}.${i % 2 ? 'jpg' : 'png'}`;
    const file = sharp(data, { raw: { width, height, channels: 3 } });
    await writeFile(
      join(from, name),
      await (i % 2 ? file.jpeg({ quality: 92 }) : file.png()).toBuffer(),
    );
    names.push(name);
  }
  const args = ['--model', 'a2n-x2', '--scale', '2', '--device', 'cpu'];
  const all = await crispen(program, [from, '--out', join(folder, 'out'), ...args]);
  if (all.code !== 0) throw new Error(all.said);
  let single = 0;
  for (const name of names.slice(0, measured)) {
    const one = await crispen(program, [join(from, name), join(folder, `one-${name}`), ...args]);
    if (one.code !== 0) throw new Error(one.said);
    single += one.seconds;
  }
  const secondsOneByOne = (single / measured) * pictures;
  return {
    pictures,
    seconds: round(all.seconds),
    engineShare: round(Number(all.lines.at(-1)?.engineSeconds) / all.seconds),
    secondsOneByOne: round(secondsOneByOne),
    measured,
    timesFaster: round(secondsOneByOne / all.seconds),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
