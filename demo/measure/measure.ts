import { CrispenError } from '../../src/errors.ts';
import { withTrustedWorkers } from '../../src/worker/trusted.ts';
import type { Answer, Figures, Question } from './measure-worker.ts';

/**
 * Measures how close a result is to a reference of the same size.
 * @throws CrispenError `INVALID_INPUT` if the sizes differ or are too small, `DECODE_FAILED` if a
 *   picture cannot be decoded
 */
export async function measure(question: Question): Promise<Figures> {
  const worker = withTrustedWorkers(
    () => new Worker(new URL('./measure-worker.ts', import.meta.url), { type: 'module' }),
  );
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = () => reject(new CrispenError('WORKER_FAILED', 'The worker failed.'));
      worker.postMessage(question);
    });
    if ('error' in answer) throw CrispenError.deserialize(answer.error);
    return answer.figures;
  } finally {
    worker.terminate();
  }
}
