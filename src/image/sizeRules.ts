import { invalid, number, type Rule, type Rules, side } from '../options.ts';
import { MAX_FACTOR, type SizeWish } from './size.ts';

const pixels = side();

const box: Rule = {
  kind: 'box',
  wants: 'a box of whole pixels, such as { width: 4096, height: 4096 }',
  accepts(value) {
    const { width, height } = Object(value);
    return typeof value === 'object' && pixels.accepts(width) && pixels.accepts(height);
  },
  // The value is copied to a plain object, because it can be a framework's proxy object, which
  // cannot be sent to a worker.
  copy: ({ width, height }: { width: number; height: number }) => ({ width, height }),
};

export const SIZE_RULES: Rules<SizeWish> = {
  scale: number({ above: 0, max: MAX_FACTOR }),
  width: pixels,
  height: pixels,
  fit: box,
};

/** @throws CrispenError `INVALID_INPUT` if the size is given in several ways */
export function checkOneSize({ scale, width, height, fit }: SizeWish): void {
  if ([scale, width, height, fit].filter((value) => value !== undefined).length > 1) {
    throw invalid(
      'The size is given in several ways.',
      'Give one of scale, width, height and fit.',
    );
  }
}
