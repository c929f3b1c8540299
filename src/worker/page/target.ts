/** Page-side functions for writing results to files and streams. This module is loaded lazily. */
import type { PumpAnswer, PumpRequest } from '../protocol.ts';

/** Removes a file that a file picker has just created, if the file is still empty. */
export async function removeEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }) {
  try {
    if ((await file.getFile()).size === 0) await file.remove?.();
  } catch {
    // The file no longer exists, or removing it is not allowed. The caller reports the original
    // error.
  }
}

/**
 * Converts a stream to an object that can be sent to the worker. Safari cannot transfer streams. In
 * Safari, the worker therefore sends the data through a port, and the page writes it to the stream.
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

/**
 * Returns a port for the worker. All data that the worker sends through the port is written to the
 * stream. The stream stays locked, so nothing else can write to it.
 */
function pumpInto(stream: WritableStream<Uint8Array>): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const writer = stream.getWriter();
  const obey = async (request: PumpRequest) => {
    if (request.kind === 'write') await writer.write(request.bytes);
    else if (request.kind === 'close') await writer.close();
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
  // If the stream fails, the page reports the error in its answer to the worker's next request.
  writer.closed.catch(() => {});
  return port2;
}
