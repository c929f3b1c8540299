import {
  add,
  advance,
  countDown,
  fieldsOf,
  get,
  lines,
  locals,
  loopFrom0,
  mul,
  rowAt,
  rowFunction,
  set,
} from './text.ts';

/**
 * Generates the function `move` (see `RECORDS` in `records.ts`), which copies one number at a time.
 * A faster copy would gain little, because networks spend most of their time in convolutions.
 */
export function moveText(): string {
  const field = fieldsOf('move');
  const constants = ['divide', 'yChannel', 'fromChannel'] as const;
  const quotient = (name: string) => `(i32.div_u ${get(name)} ${get('divide')})`;
  const rest = (name: string) => `(i32.rem_u ${get(name)} ${get('divide')})`;
  const body = lines(
    set('y', rowAt(field('y'), field('yRow'))),
    set(
      'line',
      add(
        rowAt(field('from'), field('fromRow'), quotient('row')),
        mul(mul(rest('row'), get('divide')), field('phase')),
      ),
    ),
    loopFrom0(
      'x',
      1,
      field('width'),
      set(
        'from',
        add(
          add(get('line'), mul(quotient('x'), field('fromPixel'))),
          mul(rest('x'), field('phase')),
        ),
      ),
      set('to', get('y')),
      set('c', field('channels')),
      countDown(
        'c',
        `(f32.store ${get('to')} (f32.load ${get('from')}))`,
        advance('to', get('yChannel')),
        advance('from', get('fromChannel')),
      ),
      advance('y', field('yPixel')),
    ),
  );
  const declared = lines(
    locals('i32', ['y', 'line', 'x', 'from', 'to', 'c', ...constants]),
    ...constants.map((name) => set(name, field(name))),
  );
  return rowFunction('move', declared, body);
}
