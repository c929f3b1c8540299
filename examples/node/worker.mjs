// Uses worker threads, so that the thread of a server stays free. Each thread has its own upscaler.
// node worker.mjs photo.png large.png
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createUpscaler } from 'crispen/node';

if (isMainThread) {
  const [photo, large] = process.argv.slice(2);
  const worker = new Worker(new URL(import.meta.url), { workerData: { photo, large } });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  worker.on('message', ({ width, height }) => {
    clearInterval(timer);
    console.log(`${width} x ${height}; this thread ticked ${ticks > 0 ? 'meanwhile' : 'never'}`);
  });
} else {
  const upscaler = await createUpscaler({ threads: 1 });
  const { info } = await upscaler.upscale(workerData.photo, { scale: 2, to: workerData.large });
  parentPort.postMessage(info);
  await upscaler.close();
}
