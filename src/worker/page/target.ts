/** What the page needs for writing results to targets; lazily loaded. */
import type { PumpAnswer, PumpRequest } from '../protocol.ts';

/** Removes a file that a picker has just made. A file that has content is kept. */
export async function removeEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }) {
  try {
    if ((await file.getFile()).size === 0) await file.remove?.();
  } catch {
    // The file is gone already, or removing it is not allowed. The first error is reported.
  }
}

/**
 * Makes a stream sendable to the worker. Safari cannot transfer streams, so there the page writes
 * what the worker sends.
 */
export function sendable(stream: WritableStream<Uint8Array>): WritableStream | MessagePort {
  const probe = new WritableStream();
  try {
    structuredClone(probe, { transfer: [probe] });
    return stream;
  } catch {
    return pumpInto(stream);
  }
}

/** Writes what arrives at a port into a stream. Like a transfer, this locks the stream. */
function pumpInto(stream: WritableStream<Uint8Array>): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const writer = stream.getWriter();
  const obey = async (request: PumpRequest) => {
    if (request.kind === 'write') {
      await writer.ready;
      await writer.write(request.bytes);
    } else if (request.kind === 'close') await writer.close();
    else await writer.abort(request.reason);
  };
  port1.onmessage = async ({ data }: MessageEvent<PumpRequest>) => {
    let answer: PumpAnswer = null;
    try {
      await obey(data);
    } catch (error) {
      const { name, message } = Object(error);
      answer = { name: String(name ?? 'Error'), message: String(message ?? error) };
    }
    port1.postMessage(answer);
  };
  // The stream's own failures reach the worker with the next request.
  writer.closed.catch(() => {});
  return port2;
}
