// An ES module that enlarges a file, bytes and a stream at the same time.
// node module.mjs photo.png out
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUpscaler } from 'crispen/node';

const [photo, out] = process.argv.slice(2);
await mkdir(out, { recursive: true });
const upscaler = await createUpscaler();
const [fromPath, fromBytes] = await Promise.all([
  upscaler.upscale(photo, { scale: 2 }),
  upscaler.upscale(await readFile(photo), { width: 40, format: 'webp' }),
]);
await writeFile(join(out, 'path.png'), fromPath.data);
await writeFile(join(out, 'bytes.webp'), fromBytes.data);
const { info } = await upscaler.upscale(createReadStream(photo), { to: join(out, 'stream.jpg') });
console.log(`${info.width} x ${info.height} on ${info.backend}`);
await upscaler.close();
