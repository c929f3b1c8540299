import { expect, it } from 'vitest';
import { seededImage } from '../../test/seeded.ts';
import { savePng } from './sink.ts';

it('that is cancelled while it closes fails once, and nothing goes unhandled', async () => {
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', hear);
  try {
    const { width, height, data } = seededImage(64, 64, 3);
    const cancel = new AbortController();
    const events: string[] = [];
    const sink = {
      async write() {
        events.push('write');
        // The stream writes its last bytes when it is closed. The job is cancelled during that
        // write.
        if (produced) cancel.abort();
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
      async close() {
        events.push('close');
      },
      async abort() {
        events.push('abort');
      },
    };
    let produced = false;
    const produce = async (write: (rows: typeof data) => Promise<void>) => {
      await write(data);
      produced = true;
    };
    const header = { width, height, alpha: false };
    const saving = savePng(header, async () => sink, produce, cancel.signal);
    await expect(saving).rejects.toMatchObject({ code: 'ABORTED' });
    expect(events.at(-1)).toBe('abort');
    expect(events).not.toContain('close');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', hear);
  }
});
