import { describe, expect, it } from 'vitest';
import { CrispenError } from './errors.ts';

describe('CrispenError.from', () => {
  it.each([
    'Failed to fetch dynamically imported module: http://localhost/assets/decodeFile-1.js',
    'error loading dynamically imported module: http://localhost/assets/decodeFile-1.js',
    'Importing a module script failed.',
    'Aborted(both async and sync fetching of the wasm failed)',
  ])('says what to do where a part cannot be fetched: %s', (message) => {
    const error = CrispenError.from(new TypeError(message), 'ENCODE_FAILED');
    expect(error).toMatchObject({
      code: 'FETCH_FAILED',
      message: 'A part of Crispen could not be loaded.',
      hint: expect.stringMatching(/^Check the connection, then try again\./),
    });
    expect(error.cause).toMatchObject({ message });
  });

  it('keeps other errors', () => {
    const own = new CrispenError('DECODE_FAILED', 'Not an image.');
    expect(CrispenError.from(own)).toBe(own);
    expect(CrispenError.from(new Error('Oh.'), 'WRITE_FAILED')).toMatchObject({
      code: 'WRITE_FAILED',
      message: 'Oh.',
    });
  });
});
