import { CrispenError } from '../../errors.ts';
import type { Outline, Tensor } from '../tensor.ts';
import type { PickleMap, PickleValue } from './pickleValue.ts';
import { printable, unsupported } from './refusal.ts';
import { TensorRef } from './storage.ts';

/** Returns true if the tensors belong to a known network. */
export type Recognise = (tensors: Outline) => boolean;

/**
 * Names of entries that can contain the network, in order of preference. Moving averages of the
 * weights (`params_ema`) come before the weights of the last training step (`params`).
 */
const WRAPPERS = [
  'params_ema',
  'params-ema',
  'params',
  'model_state_dict',
  'state_dict',
  'model',
  'net',
  'net_g',
  'netG',
  'generator',
];
/**
 * Prefixes that training wrappers add to every name. A training wrapper is a class that contains
 * the network during training, such as PyTorch's `DataParallel`.
 */
const PREFIXES = ['module.', 'netG.', 'generator.', 'net_g.', '_orig_mod.'];
/**
 * Some training wrappers add this prefix. In old ESRGAN files, it belongs to the network's own
 * names and must be kept.
 */
const MODEL_PREFIX = 'model.';
/** Training wrappers can be nested, and each can add `model.` once. */
const MAX_MODEL_PREFIXES = 4;
/** The maximum length of a name. The limit keeps the search for a common prefix fast. */
const MAX_NAME = 512;
const MAX_DEPTH = 8;

/**
 * Finds the state dictionary in `root`, the value that was read from the file. Looks in entries
 * called `params_ema`, `params`, `state_dict` and so on, takes the first that leads to tensors, and
 * unwraps dictionaries that have a single entry. Omits entries that are not tensors.
 * `stripPrefixes` removes the prefixes of training wrappers.
 *
 * The returned `path` shows where the tensors are in the file. It consists of the names of the
 * entries that contain them, and the removed prefix. Examples are `params_ema/` and
 * `state_dict/module.`. For a plain state dictionary, `path` is an empty string.
 * @throws CrispenError `MODEL_UNSUPPORTED` if there are no tensors (the message describes the
 *   content), or if a name is too long
 */
export function unwrap(
  root: PickleValue,
  recognise?: Recognise,
): { tensors: ReadonlyMap<string, TensorRef>; path: string } {
  const found = root instanceof Map ? find(root, '', 0, new Set()) : null;
  if (found === null) {
    throw unsupported(`it contains no state dictionary, but ${describe(root)}`);
  }
  const { tensors, prefix } = stripPrefixes(found.tensors, recognise);
  return { tensors, path: found.path + prefix };
}

/**
 * Removes `module.`, `netG.`, `generator.`, `net_g.` and `_orig_mod.` from the names. A prefix is
 * removed repeatedly, as long as all names begin with it. `model.` is removed only if `recognise`
 * accepts the names without it and rejects the names with it.
 * @throws CrispenError `MODEL_UNSUPPORTED` for names that are too long
 */
export function stripPrefixes<T extends Pick<Tensor, 'dtype' | 'shape'>>(
  tensors: ReadonlyMap<string, T>,
  recognise?: Recognise,
): { tensors: ReadonlyMap<string, T>; prefix: string } {
  const shared = sharedStart(tensors);
  let at = afterWrappers(shared, 0);
  const plain = strip(tensors, shared.slice(0, at));
  if (recognise === undefined || recognise(plain.tensors)) return plain;
  for (let i = 0; i < MAX_MODEL_PREFIXES && shared.startsWith(MODEL_PREFIX, at); i++) {
    at = afterWrappers(shared, at + MODEL_PREFIX.length);
    const inner = strip(tensors, shared.slice(0, at));
    if (recognise(inner.tensors)) return inner;
  }
  return plain;
}

function find(
  map: PickleMap,
  path: string,
  depth: number,
  seen: Set<PickleMap>,
): { tensors: ReadonlyMap<string, TensorRef>; path: string } | null {
  // A file's values can be cyclic. A dictionary that was already visited contains nothing new.
  if (depth > MAX_DEPTH || seen.has(map)) return null;
  seen.add(map);
  const names: readonly PickleValue[] = map.size === 1 ? [...map.keys()] : WRAPPERS;
  for (const name of names) {
    const inner = map.get(name);
    if (typeof name !== 'string' || !(inner instanceof Map)) continue;
    const found = find(inner, `${path}${printable(name)}/`, depth + 1, seen);
    if (found !== null) return found;
  }
  const tensors = new Map<string, TensorRef>();
  for (const [name, value] of map) {
    if (typeof name === 'string' && value instanceof TensorRef) tensors.set(name, value);
  }
  return tensors.size > 0 ? { tensors, path } : null;
}

/** Returns the longest prefix that all names have in common and that is shorter than every name. */
function sharedStart(tensors: ReadonlyMap<string, unknown>): string {
  let shared: string | null = null;
  for (const name of tensors.keys()) {
    if (name.length > MAX_NAME) {
      throw new CrispenError(
        'MODEL_UNSUPPORTED',
        `The weight file cannot be used: a tensor's name has ${name.length} characters.`,
        { hint: 'No network that Crispen runs has such names.' },
      );
    }
    shared ??= name.slice(0, -1);
    let length = Math.min(shared.length, Math.max(0, name.length - 1));
    while (!name.startsWith(shared.slice(0, length))) length--;
    shared = shared.slice(0, length);
  }
  return shared ?? '';
}

/**
 * Skips any prefixes of training wrappers in `shared`, starting at index `start`. Returns the index
 * of the character after them.
 */
function afterWrappers(shared: string, start: number): number {
  let at = start;
  for (;;) {
    const prefix = PREFIXES.find((candidate) => shared.startsWith(candidate, at));
    if (prefix === undefined) return at;
    at += prefix.length;
  }
}

function strip<T>(
  tensors: ReadonlyMap<string, T>,
  prefix: string,
): { tensors: ReadonlyMap<string, T>; prefix: string } {
  if (prefix === '') return { tensors, prefix };
  const named = [...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor] as const);
  return { tensors: new Map(named), prefix };
}

/**
 * Describes a file's content for an error message, for example "the entries epoch, optimizer" or "a
 * list".
 */
function describe(root: PickleValue): string {
  if (!(root instanceof Map)) {
    return Array.isArray(root) ? 'a list' : 'a single value';
  }
  const names = [...root.keys()].slice(0, 8).map((name) => {
    return typeof name === 'string' ? printable(name) : typeof name;
  });
  const more = root.size > names.length ? ', ...' : '';
  return names.length > 0 ? `the entries ${names.join(', ')}${more}` : 'an empty dictionary';
}
