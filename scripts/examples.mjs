/**
 * Runs examples/node in an empty folder outside this repository, as a user who installed the
 * package would. This is part of the test group `package`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';

const root = resolve(import.meta.dirname, '..');
const SIDE = 24;

/**
 * @param {string} archive the archive that `npm pack` created
 * @param {string} parent an existing folder
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function runExamples(archive, parent) {
  const folder = mkdtempSync(join(parent, 'consumer-'));
  cpSync(join(root, 'examples/node'), folder, { recursive: true });
  const npm = ['install', '--prefer-offline', '--no-audit', '--no-fund', archive];
  const installed = await run(folder, 'npm', npm);
  if (installed.code !== 0) return { ok: false, output: installed.output };
  mkdirSync(join(folder, 'images'));
  const photo = join(folder, 'images/photo.png');
  const data = Buffer.from(Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * 7) % 256));
  const raw = { width: SIDE, height: SIDE, channels: /** @type {const} */ (3) };
  await sharp(data, { raw }).png().toFile(photo);

  /** @type {string[]} */
  const wrong = [];
  const at = (/** @type {string} */ name) => join(folder, name);
  /** @param {string | Buffer} file @param {number} side @param {string} format */
  const check = async (file, side, format) => {
    const name = typeof file === 'string' ? file.slice(folder.length + 1) : 'the response';
    const found = await sharp(file).metadata().catch(String);
    const isRight = typeof found === 'object' && found.width === side && found.format === format;
    if (!isRight) wrong.push(`${name}: ${JSON.stringify(found)}`);
  };
  /** @param {string[]} args @param {RegExp} says */
  const example = async (args, says) => {
    const { code, output } = await run(folder, process.execPath, args);
    if (code !== 0 || !says.test(output)) wrong.push(`${args[0]}: ${code}, ${output}`);
  };
  await example(['module.mjs', photo, at('out')], /^48 x 48 on cpu\n$/);
  await check(at('out/path.png'), 48, 'png');
  await check(at('out/bytes.webp'), 40, 'webp');
  await check(at('out/stream.jpg'), 48, 'jpeg');
  await example(['common.cjs', photo, at('common.png')], /^INVALID_INPUT\n48 x 48\n$/);
  await check(at('common.png'), 48, 'png');
  await example(
    ['worker.mjs', photo, at('worker.png')],
    /^48 x 48; this thread ticked meanwhile\n$/,
  );
  await check(at('worker.png'), 48, 'png');
  await example(['build.mjs', at('images'), at('dist')], /^1 of 1 made\n$/);
  await example(['build.mjs', at('images'), at('dist')], /^0 of 1 made\n$/);
  await check(at('dist/photo@2x.webp'), 48, 'webp');
  await example(
    [
      'node_modules/crispen/bin/crispen.mjs',
      at('images'),
      '--out',
      at('larger'),
      '--device',
      'cpu',
    ],
    /\n1 made, in /,
  );
  await check(at('larger/photo.png'), 48, 'png');
  await server();
  return {
    ok: wrong.length === 0,
    output: ['module, common, worker, server, build, command line', ...wrong].join('\n'),
  };

  async function server() {
    const child = spawn(process.execPath, ['server.mjs', '0'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    try {
      const first = once(createInterface({ input: child.stdout }), 'line');
      const [address] = await Promise.race([first, ended]);
      if (typeof address !== 'string') throw new Error(`it ended with ${address}`);
      const post = (/** @type {Buffer} */ body) =>
        fetch(`${address}/enlarge`, { method: 'POST', body: new Uint8Array(body) });
      const good = await post(readFileSync(photo));
      await check(Buffer.from(await good.arrayBuffer()), 48, 'webp');
      const bad = await post(Buffer.from('no picture'));
      const { code } = /** @type {{ code: string }} */ (await bad.json());
      if (bad.status !== 422 || code !== 'DECODE_FAILED')
        wrong.push(`server: ${bad.status} ${code}`);
    } catch (error) {
      wrong.push(`server.mjs: ${error}`);
    } finally {
      child.kill('SIGTERM');
      const [code] = await ended;
      if (code !== 0) wrong.push(`server.mjs ended with ${code}`);
    }
  }
}

/**
 * @param {string} cwd
 * @param {string} path
 * @param {string[]} args
 * @returns {Promise<{ code: number | null, output: string }>}
 */
async function run(cwd, path, args) {
  const child = spawn(path, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: path === 'npm' && process.platform === 'win32',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}
