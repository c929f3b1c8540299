// A build script that creates the missing pictures for high-density screens.
// node build.mjs images dist
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { createUpscaler } from 'crispen/node';

const [from, to] = process.argv.slice(2);
await mkdir(to, { recursive: true });
const upscaler = await createUpscaler();
const names = (await readdir(from)).filter((name) => /\.(png|jpe?g|webp)$/i.test(name));
const isThere = (path) => stat(path).then(Boolean, () => false);
let made = 0;
for (const name of names) {
  const large = join(to, `${parse(name).name}@2x.webp`);
  if (await isThere(large)) continue;
  await upscaler.upscale(join(from, name), { scale: 2, to: large, quality: 85 });
  made++;
}
console.log(`${made} of ${names.length} made`);
await upscaler.close();
