import { CrispenError, type ErrorCode } from '../../src/errors.ts';
import type { Trouble } from '../state.ts';
import { t } from './texts.ts';

/** Turns a problem from `t.trouble` into a `Trouble`. */
export const trouble = ([message, hint]: readonly string[]): Trouble => ({ message, hint });

/**
 * Describes any error in the visitor's language. The library's English message is appended, because
 * it contains more detail.
 */
export function troubleOf(error: unknown, code?: ErrorCode): Trouble {
  const found = CrispenError.from(error, code);
  const own = t.errors?.[found.code];
  if (!own) return { message: found.message, hint: found.hint };
  return { message: `${own[0]} (${found.message})`, hint: own[1] };
}
