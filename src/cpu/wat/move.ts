import {
  add,
  advance,
  field,
  get,
  int,
  lines,
  locals,
  mul,
  rowFunction,
  rowOf,
  set,
} from './text.ts';

/**
 * Generates the function `move` (see `RECORDS` in `records.ts`), which copies one number at a time.
 * A faster copy would gain little, because networks spend most of their time in convolutions.
 */
export function moveText(): string {
  const divide = get('divide');
  const body = lines(
    set('y', rowOf('move', 'y', 'yRow')),
    set(
      'line',
      add(
        add(
          field('move', 'from'),
          mul(`(i32.div_u ${get('row')} ${divide})`, field('move', 'fromRow')),
        ),
        mul(mul(`(i32.rem_u ${get('row')} ${divide})`, divide), field('move', 'phase')),
      ),
    ),
    set('x', int(0)),
    `(loop $pixels
    ${set(
      'from',
      add(
        add(get('line'), mul(`(i32.div_u ${get('x')} ${divide})`, field('move', 'fromPixel'))),
        mul(`(i32.rem_u ${get('x')} ${divide})`, field('move', 'phase')),
      ),
    )}
    ${set('to', get('y'))}
    ${set('c', field('move', 'channels'))}
    (loop $channels
      (f32.store ${get('to')} (f32.load ${get('from')}))
      ${advance('to', get('yChannel'))}
      ${advance('from', get('fromChannel'))}
      (br_if $channels (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
    ${advance('y', field('move', 'yPixel'))}
    (br_if $pixels (i32.lt_s (local.tee $x (i32.add (local.get $x) (i32.const 1))) ${field('move', 'width')})))`,
  );
  const declared = lines(
    locals('i32', ['y', 'line', 'x', 'from', 'to', 'c', 'divide', 'yChannel', 'fromChannel']),
    set('divide', field('move', 'divide')),
    set('yChannel', field('move', 'yChannel')),
    set('fromChannel', field('move', 'fromChannel')),
  );
  return rowFunction('move', declared, body);
}
