import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';

type Arrows = Readonly<Record<string, readonly string[]>>;

interface Rule {
  readonly name: string;
  readonly comment?: string;
}

const { forbidden }: { forbidden: readonly Rule[] } = createRequire(import.meta.url)(
  '../.dependency-cruiser.cjs',
);

/** The imports that are allowed between rooms, and between the inner rooms of a room. */
const ROOMS: Record<string, string[]> = {};
const INNER_ROOMS: Record<string, Record<string, string[]>> = {};
for (const { comment = '' } of forbidden) {
  const [, room, inner, listed] =
    /^src\/(\w+)(?:\/(\w+))? may import (?:of src\/\w+ )?only: (.*)$/.exec(comment) ?? [];
  if (room === undefined) continue;
  const allowed = listed === 'nothing' ? [] : listed.split(', ');
  if (inner === undefined) ROOMS[room] = allowed;
  else INNER_ROOMS[room] = { ...INNER_ROOMS[room], [inner]: allowed };
}

/**
 * Reads the lines `room <- rooms` in ARCHITECTURE.md. An indented line belongs to the room above
 * it.
 */
function drawn(): { rooms: Record<string, string[]>; inner: Record<string, Arrows> } {
  const text = readFileSync('ARCHITECTURE.md', 'utf8');
  const picture = text.split('```').find((block) => /^\w+ +<- /m.test(block));
  const rooms: Record<string, string[]> = {};
  const inner: Record<string, Record<string, string[]>> = {};
  let outer = '';
  for (const line of (picture ?? '').trim().split('\n')) {
    const [, indent, names, allowed] = /^(\s*)(.*?)\s*<-\s*(.*)$/.exec(line) ?? [];
    for (const name of names.split(', ')) {
      if (indent === '') {
        outer = name;
        rooms[name] = allowed.split(', ');
      } else {
        inner[outer] = { ...inner[outer], [name]: allowed.split(', ') };
      }
    }
  }
  return { rooms, inner };
}

const some = (arrows: Arrows): Arrows =>
  Object.fromEntries(Object.entries(arrows).filter(([, allowed]) => allowed.length > 0));
const sorted = (arrows: Arrows) =>
  Object.fromEntries(Object.entries(arrows).map(([from, to]) => [from, [...to].sort()]));

it('the picture of rooms in ARCHITECTURE.md has the arrows that are enforced', () => {
  const { rooms, inner } = drawn();
  expect(sorted(rooms)).toEqual(sorted(some(ROOMS)));
  expect(Object.keys(inner)).toEqual(Object.keys(INNER_ROOMS));
  for (const [outer, arrows] of Object.entries(INNER_ROOMS)) {
    expect(sorted(inner[outer]), outer).toEqual(sorted(some(arrows)));
  }
});

it('every folder of src is a room with arrows, and so is every folder of the engine', () => {
  const folders = (path: string) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  // Shaders and type declarations import nothing.
  expect(folders('src')).toEqual([...Object.keys(ROOMS), 'platform', 'shaders'].sort());
  for (const [outer, arrows] of Object.entries(INNER_ROOMS)) {
    expect(folders(`src/${outer}`), outer).toEqual(Object.keys(arrows).sort());
  }
});
