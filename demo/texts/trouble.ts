import { CrispenError, type ErrorCode } from '../../src/errors.ts';
import type { Trouble } from '../state.ts';
import { t } from './texts.ts';

/** A problem in the form of `t.trouble`. */
export const trouble = ([message, hint]: readonly string[]): Trouble => ({ message, hint });

/** Any error, in the visitor's language. The library's own words, which say more, are English. */
export function troubleOf(error: unknown, code?: ErrorCode): Trouble {
  const found = CrispenError.from(error, code);
  const own = t.errors?.[found.code];
  if (!own) return { message: found.message, hint: found.hint };
  return { message: `${own[0]} (${found.message})`, hint: own[1] };
}
