// Writes a Blob. All of its bytes except the first few are written to the origin private file
// system.
import { save } from '/src/codecs/sink.ts';
import { blobSink, spillFolder } from '/src/worker/sinks.ts';

const lifeline = `spill-${Math.random()}`;

self.addEventListener('message', async ({ data: { parts, fails } }) => {
  await new Promise((resolve) => {
    navigator.locks.request(lifeline, () => {
      resolve();
      return new Promise(() => {});
    });
  });
  const open = () => blobSink('image/png', () => spillFolder(lifeline), 100);
  try {
    const { file } = await save(open, async (to) => {
      const writer = to.getWriter();
      for (const part of parts) await writer.write(part);
      if (fails) throw new Error('stop');
      await writer.close();
    });
    postMessage(file);
  } catch (error) {
    postMessage(error.message);
  }
});
