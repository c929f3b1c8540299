/**
 * Shaders are WGSL with three kinds of directives, each on a separate line:
 *
 * - `#import lib/activation` inserts declarations, once per shader. An `#import` with arguments,
 *   such as `#import conv/product s=p reach=1`, inserts a part of a function body at every
 *   occurrence. It leaves out the comment at the start of the imported file. The inserted code can
 *   use the arguments and the constants in `Defines`. An argument's value is a word or an integer.
 * - `#if QUAD`, `#else` and `#end` insert the lines before `#else` if the value of `QUAD` is not 0.
 *   Otherwise, they insert the lines after `#else`.
 * - `#for p in 0..PIXELS` and `#end` insert the body for each integer from 0 to `PIXELS - 1`.
 *
 * `{p}` in a line is replaced by the value of `p`. A number can also be written as a sum or
 * difference of integers and names: `{p+1}`, `#for k in 0..1+REACH+REACH`, `#if ROWS-1`.
 */

/**
 * The source code of shaders by name. The name of `src/shaders/conv/product.wgsl` is
 * `conv/product`.
 */
export type Sources = Readonly<Record<string, string>>;

/** Constants that directives can use. */
export type Defines = Readonly<Record<string, number | boolean>>;

type Scope = ReadonlyMap<string, number | string>;

interface Line {
  readonly file: string;
  readonly number: number;
  readonly text: string;
}

type Node =
  | { readonly kind: 'text'; readonly at: Line }
  | { readonly kind: 'import'; readonly at: Line; readonly words: string[] }
  | {
      readonly kind: 'if';
      readonly at: Line;
      readonly test: string;
      readonly yes: Node[];
      readonly no: Node[];
    }
  | {
      readonly kind: 'for';
      readonly at: Line;
      readonly range: RegExpExecArray;
      readonly body: Node[];
    };

const SUM = String.raw`\w+(?:\s*[+-]\s*\w+)*`;
const SUBSTITUTION = new RegExp(String.raw`\{\s*(${SUM})\s*\}`, 'g');
const RANGE = new RegExp(String.raw`^([A-Za-z_]\w*) in (${SUM})\s*\.\.\s*(${SUM})$`);

/**
 * Expands the shader `name` to WGSL.
 * @param sources the shader and all shaders that it imports, directly or indirectly
 * @throws Error with the file, the line and a description of the problem
 */
export function expand(name: string, sources: Sources, defines: Defines = {}): string {
  const constants = new Map(Object.entries(defines).map(([key, value]) => [key, Number(value)]));
  const out: string[] = [];
  const imported = new Set<string>();
  // The files that are being inserted, with the outermost first.
  const open: string[] = [];

  /** @param bare whether to leave out the comment at the start of the file */
  function insert(file: string, scope: Scope, indent: string, at?: Line, bare = false): void {
    const source = Object.hasOwn(sources, file) ? sources[file] : undefined;
    if (source === undefined) throw failure(at, `no shader ${JSON.stringify(file)}`);
    if (open.includes(file)) {
      throw failure(at, `imports go round: ${[...open, file].join(' -> ')}`);
    }
    open.push(file);
    const nodes = parse(file, source);
    const head = bare ? nodes.findIndex(({ at }) => !at.text.startsWith('//')) : 0;
    emit(nodes.slice(Math.max(0, head)), scope, indent, 0);
    open.pop();
  }

  /** @param margin the number of columns of indentation (from enclosing directives) to remove */
  function emit(nodes: readonly Node[], scope: Scope, indent: string, margin: number): void {
    for (const node of nodes) {
      const { at } = node;
      if (node.kind === 'text') {
        const line = substitute(at, at.text.slice(Math.min(margin, marginOf(at))), scope);
        if (line.trim() !== '') out.push(indent + line);
        else if (out.at(-1) !== '') out.push('');
      } else if (node.kind === 'if') {
        const body = sum(at, node.test, scope) !== 0 ? node.yes : node.no;
        emit(body, scope, indent, margin + indentation(at, body));
      } else if (node.kind === 'for') {
        const [, variable, from, to] = node.range;
        if (scope.has(variable)) throw failure(at, `the name ${variable} is taken`);
        const [first, end] = [sum(at, from, scope), sum(at, to, scope)];
        if (first < 0 || end < first) throw failure(at, `bad range ${first}..${end}`);
        for (let value = first; value < end; value++) {
          const own = new Map(scope).set(variable, value);
          emit(node.body, own, indent, margin + indentation(at, node.body));
        }
      } else {
        const [file, ...args] = node.words;
        if (args.length === 0) {
          if (imported.has(file) && !open.includes(file)) continue;
          imported.add(file);
          insert(file, constants, '', at);
        } else {
          const own = ' '.repeat(Math.max(0, marginOf(at) - margin));
          insert(file, withArguments(at, args, scope, constants), indent + own, at, true);
        }
      }
    }
  }

  insert(name, constants, '');
  return `${out.join('\n').trim()}\n`;
}

const marginOf = ({ text }: Line): number => text.length - text.trimStart().length;

/** Returns the number of columns by which a body is indented relative to its directive. */
function indentation(directive: Line, body: readonly Node[]): number {
  const margins = body.filter(({ at }) => at.text.trim() !== '').map(({ at }) => marginOf(at));
  return margins.length === 0 ? 0 : Math.max(0, Math.min(...margins) - marginOf(directive));
}

function withArguments(at: Line, args: readonly string[], scope: Scope, constants: Scope): Scope {
  const own = new Map(constants);
  for (const arg of args) {
    const [, name, value] = /^([A-Za-z_]\w*)=(\w+(?:[+-]\w+)*)$/.exec(arg) ?? [];
    if (name === undefined) throw failure(at, `${JSON.stringify(arg)} is not NAME=VALUE`);
    if (own.has(name)) throw failure(at, `the name ${name} is taken`);
    const word = /^[A-Za-z_]\w*$/.test(value) && !scope.has(value);
    own.set(name, word ? value : (scope.get(value) ?? sum(at, value, scope)));
  }
  return own;
}

/** Parses a file into a tree of its lines. */
function parse(file: string, source: string): Node[] {
  const root: Node[] = [];
  // The root list and the lists of all `#if` and `#for` blocks that are still open, with the
  // innermost block last. New nodes are added to the last list. `opener` is the block's directive.
  const lists: { into: Node[]; opener?: Node & { kind: 'if' | 'for' }; inElse?: boolean }[] = [
    { into: root },
  ];
  source.split('\n').forEach((text, i) => {
    const at = { file, number: i + 1, text };
    const depth = lists.length - 1;
    const here = lists[depth];
    const [, directive, rest = ''] = /^\s*#(\w*)\s*(.*?)\s*(?:\/\/.*)?$/.exec(text) ?? [];
    if (directive === undefined) {
      here.into.push({ kind: 'text', at });
    } else if (directive === 'import') {
      const words = rest.split(/\s+/);
      if (rest === '') throw failure(at, '#import names no shader');
      here.into.push({ kind: 'import', at, words });
    } else if (directive === 'if') {
      if (!new RegExp(`^${SUM}$`).test(rest)) throw failure(at, '#if wants one value');
      const opener: Node = { kind: 'if', at, test: rest, yes: [], no: [] };
      here.into.push(opener);
      lists.push({ into: opener.yes, opener });
    } else if (directive === 'for') {
      const range = RANGE.exec(rest);
      if (!range) throw failure(at, `not a range: #for ${rest} (#for NAME in FROM..TO)`);
      const opener: Node = { kind: 'for', at, range, body: [] };
      here.into.push(opener);
      lists.push({ into: opener.body, opener });
    } else if (directive === 'else') {
      if (here.opener?.kind !== 'if' || here.inElse) throw failure(at, '#else without #if');
      lists[depth] = { into: here.opener.no, opener: here.opener, inElse: true };
    } else if (directive === 'end') {
      if (!here.opener) throw failure(at, '#end without #if or #for');
      lists.pop();
    } else {
      throw failure(at, `no directive #${directive}`);
    }
  });
  const unclosed = lists.at(-1)?.opener;
  if (unclosed) throw failure(unclosed.at, `#${unclosed.kind} without #end`);
  return root;
}

function substitute(at: Line, text: string, scope: Scope): string {
  const comment = text.indexOf('//');
  const [code, rest] = comment < 0 ? [text, ''] : [text.slice(0, comment), text.slice(comment)];
  const replaced = code.replace(SUBSTITUTION, (_, inner: string) => {
    const word = scope.get(inner);
    const value = typeof word === 'string' ? word : sum(at, inner, scope);
    if (typeof value === 'number' && value < 0) throw failure(at, `{${inner}} is ${value}`);
    return String(value);
  });
  return replaced + rest;
}

/** Returns the value of a sum or difference of integers and names. */
function sum(at: Line, expression: string, scope: Scope): number {
  let total = 0;
  for (const [, sign, term] of expression.matchAll(/([+-]?)\s*(\w+)/g)) {
    const value = /^\d+$/.test(term) ? Number(term) : scope.get(term);
    if (value === undefined) throw failure(at, `unknown name ${term}`);
    if (typeof value === 'string') throw failure(at, `${term} is the word ${value}, not a number`);
    if (!Number.isInteger(value)) throw failure(at, `${term} is ${value}, not a whole number`);
    total += sign === '-' ? -value : value;
  }
  return total;
}

const failure = (at: Line | undefined, what: string): Error =>
  new Error(at ? `${at.file}.wgsl:${at.number}: ${what}` : what);
