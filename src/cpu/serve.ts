/** The code that a thread without shared memory runs. `team.ts` contains the host's code. */
import type { ValueId } from '../engine/compile/fused.ts';
import { CrispenError, internal } from '../errors.ts';
import { depthOf, samplesOf } from '../image/image.ts';
import { CpuModel } from './model.ts';
import type { RowSums, Vector } from './tasks.ts';
import type { Port, Reply, Request } from './tiles.ts';

/** The minimum time in milliseconds between two progress messages while a tile is computed. */
const REPORT_MS = 20;

/** Processes the host's messages. This thread computes tiles with its own copies of the models. */
export function serve(port: Port): void {
  const models = new Map<number, Promise<CpuModel>>();
  let job = new AbortController();
  let onMean: (mean: Vector) => void = () => {};
  const reply = (message: Reply, transfer: ArrayBuffer[] = []) =>
    port.postMessage(message, transfer);

  const combine = (id: ValueId, sums: RowSums): Promise<Vector> =>
    new Promise((resolve, reject) => {
      onMean = resolve;
      job.signal.onabort = () => reject(new CrispenError('ABORTED', 'The upscale was cancelled.'));
      reply({ sums, id });
    });

  async function run({
    run: key,
    source,
    size,
    core,
    given,
    band,
  }: Extract<Request, { run: number }>): Promise<void> {
    let [work, reported] = [0, performance.now()];
    const onWork = (more: number) => {
      work += more;
      if (performance.now() - reported < REPORT_MS) return;
      reply({ work });
      [work, reported] = [0, performance.now()];
    };
    try {
      const model = await models.get(key);
      if (!model) throw internal(`no model ${key}`);
      const width = core.width * model.network.scale;
      const pixels = width * core.height * model.network.scale;
      const data = samplesOf(depthOf(source), pixels) as Uint8ClampedArray<ArrayBuffer>;
      const means = { given, band: band && { ...band, combine } };
      const packing = { core, to: { data, offset: 0, width } };
      const { signal } = job;
      const done = await model.run(source, size, packing, { signal, onWork, means });
      reply({ work });
      reply({ done, data }, [data.buffer]);
    } catch (error) {
      reply({ error: CrispenError.from(error).serialize() });
    }
  }

  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if ('load' in data) {
      const loading = CpuModel.load(data.network, data.tensors);
      // A failure is reported when a job uses this model.
      loading.catch(() => {});
      models.set(data.load, loading);
    } else if ('drop' in data) models.delete(data.drop);
    else if ('mean' in data) onMean(data.mean);
    else if ('cancel' in data) job.abort();
    else {
      job = new AbortController();
      void run(data);
    }
  };
  reply({ ready: true });
}
