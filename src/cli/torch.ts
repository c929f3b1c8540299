import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { Measurer } from '../node/backend.ts';
import { PACKAGE_ROOT } from '../node/model.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';

/** The names of the networks in `training/networks.py`, by architecture. */
const NETWORKS: Readonly<Record<string, string>> = {
  a2n: 'a2n',
  a2nm: 'a2nm',
  pan: 'pan',
  'edsr-acla': 'acla',
  lcoan: 'lcoan',
  asid: 'asid',
};

/**
 * Returns a command that starts a Python interpreter with the packages that `training/` needs, or
 * undefined if there is none.
 */
export function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3', 'python'].find(
    (command) => spawnSync(command, ['-c', 'import torch, numpy, PIL']).status === 0,
  );
}

/**
 * Returns a measurer that runs the networks in PyTorch (`training/networks.py`), in f32 on the CPU.
 * PyTorch is about thirty times faster than the engine on a software adapter, and its results can
 * be compared with those of the engine. Each network needs its own process, and only the process of
 * the most recently loaded network is kept running.
 * @throws CrispenError `INVALID_INPUT` if there is no Python with torch, numpy and Pillow.
 */
export function openTorch(): Measurer {
  const python = findPython();
  if (!python) {
    throw new CrispenError('INVALID_INPUT', 'There is no python3 with torch, numpy and Pillow.', {
      hint: 'Install them as training/README.md says, or measure with --device gpu.',
    });
  }
  const scratch = mkdtempSync(join(tmpdir(), 'crispen-torch-'));
  let server: TorchServer | undefined;
  return {
    device: 'torch',
    adapter: null,
    async load(network, weights) {
      server?.stop();
      const started = new TorchServer(python, network, weights, scratch);
      server = started;
      return async (image) => ({ image: await started.run(image) });
    },
    close() {
      server?.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** A process that runs `training/serve.py` for one network. It handles one image at a time. */
class TorchServer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #output: AsyncIterator<Buffer>;
  readonly #scale: number;
  #answer: Buffer = Buffer.alloc(0);
  #trouble = '';

  constructor(python: string, network: Network, weights: TensorMap, scratch: string) {
    const name = NETWORKS[network.architecture];
    if (!name) {
      throw new CrispenError(
        'MODEL_UNSUPPORTED',
        `PyTorch does not measure ${network.architecture}.`,
        {
          hint: 'Measure it with --device gpu or cpu.',
        },
      );
    }
    const file = join(mkdtempSync(join(scratch, 'model-')), 'weights.safetensors');
    writeFileSync(file, writeSafetensors(weights));
    this.#scale = network.scale;
    const args = ['serve.py', name, String(network.scale), file];
    this.#process = spawn(python, args, { cwd: join(PACKAGE_ROOT, 'training') });
    this.#output = this.#process.stdout[Symbol.asyncIterator]();
    this.#process.stderr.on('data', (text) => {
      this.#trouble += text;
    });
    // Write errors are ignored here. If the process has ended, `#read` throws an error, because the
    // output of the process ends without an answer.
    this.#process.stdin.on('error', () => {});
  }

  async run({ width, height, data }: Rgba8Image): Promise<Rgba8Image> {
    const request = Buffer.alloc(8 + width * height * 3);
    request.writeUInt32LE(width, 0);
    request.writeUInt32LE(height, 4);
    for (let i = 0; i < width * height; i++)
      request.set(data.subarray(i * 4, i * 4 + 3), 8 + i * 3);
    this.#process.stdin.write(request);
    const [wide, high] = [width * this.#scale, height * this.#scale];
    const answer = await this.#read(wide * high * 3);
    const result = new Uint8ClampedArray(wide * high * 4).fill(255);
    for (let i = 0; i < wide * high; i++) result.set(answer.subarray(i * 3, i * 3 + 3), i * 4);
    return { width: wide, height: high, data: result };
  }

  stop(): void {
    this.#process.stdin.end();
    this.#process.kill();
  }

  async #read(bytes: number): Promise<Buffer> {
    while (this.#answer.length < bytes) {
      const { value, done } = await this.#output.next();
      if (done) throw new CrispenError('INVALID_INPUT', `PyTorch stopped: ${this.#trouble.trim()}`);
      this.#answer = Buffer.concat([this.#answer, value]);
    }
    const answer = this.#answer.subarray(0, bytes);
    this.#answer = this.#answer.subarray(bytes);
    return answer;
  }
}
