import type { Size } from '../src/geometry.ts';
import { MAX_FACTOR, type SizeWish, wishedSize } from '../src/image/size.ts';
import { t } from './texts/texts.ts';

/** A requested size, specified in one of these ways. */
export type Wish =
  | { readonly scale: number }
  | { readonly width: number }
  | { readonly height: number }
  | { readonly fit: Size };

/**
 * Rotates a box to the picture's orientation, because paper can be rotated. Other sizes are
 * unchanged.
 */
export function turned(wish: Wish, size: Size | null): Wish {
  if (!('fit' in wish) || size === null) return wish;
  const { width, height } = wish.fit;
  const isTurned = width > height !== size.width > size.height && size.width !== size.height;
  return isTurned ? { fit: { width: height, height: width } } : wish;
}

/** Returns a key that is equal only for equal sizes. */
export const wishKey = (wish: Wish): string => JSON.stringify(wish);

/** Returns whether a size is one of those that the page always offers. */
export const isUsual = (wish: Wish): boolean =>
  'scale' in wish && [1, 2, 3, 4].includes(wish.scale);

/** Returns the factor of the enlargement. Null if it depends on an unknown size. */
export function factorOf(wish: Wish, size: Size | null): number | null {
  if ('scale' in wish) return wish.scale;
  if (size === null) return null;
  if ('width' in wish) return wish.width / size.width;
  if ('height' in wish) return wish.height / size.height;
  return Math.min(wish.fit.width / size.width, wish.fit.height / size.height);
}

/** Returns the size of the result. Null if it is unknown or too large. */
export function sizeOf(wish: Wish, size: Size | null): Size | null {
  const factor = factorOf(wish, size);
  if (size === null || factor === null || factor > MAX_FACTOR) return null;
  const { width, height } = wishedSize(size, wish as SizeWish);
  return { width, height };
}

/** Beyond this factor, a network processes its own output. */
const MOST_DETAIL = 4;

/**
 * Returns a note about a requested size: its effect, or why it is impossible. Empty for usual
 * sizes.
 */
export function sizeNote(wish: Wish, size: Size | null): string {
  const factor = factorOf(wish, size);
  if (size === null || factor === null) return '';
  if (factor > MAX_FACTOR) {
    return t.size.beyond(factor.toFixed(1), MAX_FACTOR);
  }
  const made = sizeOf(wish, size);
  const notes = [
    made && !isUsual(wish) ? t.size.becomes(`${made.width} × ${made.height}`) : '',
    factor > MOST_DETAIL ? t.size.detail : '',
    factor < 1 ? t.size.smaller : '',
  ];
  return notes.filter((note) => note !== '').join(' ');
}

/** Creates a size from a typed number. Returns null if the number is invalid. */
export function wishOf(kind: 'scale' | 'width' | 'height', value: number): Wish | null {
  if (kind === 'scale') return value > 0 && value <= MAX_FACTOR ? { scale: value } : null;
  if (!Number.isInteger(value) || value < 1) return null;
  return kind === 'width' ? { width: value } : { height: value };
}

/** Returns the size for a file name: `@2x`, `-3840w`, `-2160h`, `-3840x2160`. */
export function wishName(wish: Wish): string {
  if ('scale' in wish) return wish.scale === 1 ? '-clean' : `@${wish.scale}x`;
  if ('width' in wish) return `-${wish.width}w`;
  if ('height' in wish) return `-${wish.height}h`;
  return `-${wish.fit.width}x${wish.fit.height}`;
}

/** Returns the size as text: `2×`, `3840 wide`. Empty if the size stays the same. */
export function wishWords(wish: Wish): string {
  if ('scale' in wish) return wish.scale === 1 ? '' : `${wish.scale}×`;
  if ('width' in wish) return t.wide(wish.width);
  if ('height' in wish) return t.high(wish.height);
  return `${wish.fit.width} × ${wish.fit.height}`;
}
