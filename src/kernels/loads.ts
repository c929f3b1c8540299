/**
 * Counts the loads in the hot loops of a shader whose directives (see wgsl.ts) have been expanded.
 * The parser supports only the WGSL features that this project uses.
 */

/**
 * The loads and multiply-adds of one invocation. They are scaled by a common factor, so only their
 * ratios matter.
 */
export interface Loads {
  /**
   * The loads from storage buffers, counted in vectors of four values. `uniform` and `workgroup`
   * use the same unit.
   */
  readonly storage: number;
  readonly uniform: number;
  readonly workgroup: number;
  /** The number of scalar multiply-adds. */
  readonly multiplyAdds: number;
}

/** The known values by name. Names can contain dots, as in `local.x`. */
export type Values = ReadonlyMap<string, number>;

export type Statement =
  | { readonly kind: 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'simple'; readonly tokens: readonly string[] }
  | {
      readonly kind: 'for';
      readonly init: readonly string[];
      readonly test: readonly string[];
      readonly step: readonly string[];
      readonly body: Statement;
    }
  | {
      readonly kind: 'if';
      readonly test: readonly string[];
      readonly body: Statement;
      readonly otherwise: Statement | null;
    }
  | {
      readonly kind: 'switch';
      readonly cases: readonly Statement[];
    };

type Space = 'storage' | 'uniform' | 'workgroup';

export interface ParsedShader {
  /** The integer constants of the module. */
  readonly constants: ReadonlyMap<string, number>;
  readonly arrays: ReadonlyMap<string, { readonly space: Space; readonly vectors: number }>;
  /** The numbers of columns and rows of each subgroup matrix type, by the type's alias. */
  readonly matrices: ReadonlyMap<string, { readonly columns: number; readonly rows: number }>;
  readonly functions: ReadonlyMap<string, Statement>;
}

/**
 * The size of an array element by its type. The unit is a vector of four values. Types that are not
 * listed have size 1.
 */
const VECTORS: Readonly<Record<string, number>> = { E: 0.25, f32: 0.25, u32: 0.25, E4x4: 4 };

const TOKEN = /[A-Za-z_][\w.]*|\d[\w.]*|<=|>=|==|!=|&&|\|\||<<|>>|\+\+|[-+*/%&|^]=|->|[^\s]/g;

export function parseShader(code: string): ParsedShader {
  const text = code.replace(/\/\/.*/g, '');
  const constants = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^const (\w+)(?:: \w+)? = ([^;]+);/gm)) {
    const known = evaluate(tokensOf(value), constants);
    if (known !== null) constants.set(name, known);
  }
  const arrays = new Map<string, { space: Space; vectors: number }>();
  const declared = /var<(storage|uniform|workgroup)[^>]*> (\w+): array<(\w+)/g;
  for (const [, space, name, element] of text.matchAll(declared)) {
    arrays.set(name, { space: space as Space, vectors: VECTORS[element] ?? 1 });
  }
  const matrices = new Map<string, { columns: number; rows: number }>();
  const aliases = /alias (\w+) = subgroup_matrix_\w+<\w+, (\w+), (\w+)>;/g;
  for (const [, name, columns, rows] of text.matchAll(aliases)) {
    const of = (word: string) => evaluate([word], constants) ?? Number.NaN;
    matrices.set(name, { columns: of(columns), rows: of(rows) });
  }
  const functions = new Map<string, Statement>();
  for (const match of text.matchAll(/^fn (\w+)\(/gm)) {
    const rest = text.slice(match.index);
    const open = rest.indexOf('{', closing(rest, rest.indexOf('(')));
    const body = tokensOf(rest.slice(open, closing(rest, open) + 1));
    functions.set(match[1], parseStatement(body));
  }
  return { constants, arrays, matrices, functions };
}

const tokensOf = (text: string): string[] => text.match(TOKEN) ?? [];

/** Returns the position of the bracket that matches the bracket at position `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if ('({'.includes(text[at])) depth++;
    else if (')}'.includes(text[at]) && --depth === 0) return at;
  }
  throw new Error('a bracket is not closed');
}

/** Parses the first statement of `tokens`. */
function parseStatement(tokens: readonly string[]): Statement {
  let at = 0;
  /** Returns the tokens up to the next `end`, and skips that one. */
  const until = (end: string): string[] => {
    const taken: string[] = [];
    for (let depth = 0; depth > 0 || tokens[at] !== end; ) {
      const token = tokens[at++];
      if (token === undefined) throw new Error(`no ${end}`);
      if (token === '(' || token === '[') depth++;
      if (token === ')' || token === ']') depth--;
      taken.push(token);
    }
    at++;
    return taken;
  };
  /** Parses a block whose opening bracket has been read. */
  const block = (): Statement => {
    const body: Statement[] = [];
    while (tokens[at] !== '}') body.push(statement());
    at++;
    return { kind: 'block', body };
  };
  const statement = (): Statement => {
    const first = tokens[at];
    if (first === '{') {
      at++;
      return block();
    }
    if (first === 'for') {
      at += 2;
      const [init, test, step] = [until(';'), until(';'), until(')')];
      return { kind: 'for', init, test, step, body: statement() };
    }
    if (first === 'if') {
      at++;
      const [test, body] = [until('{'), block()];
      if (tokens[at] !== 'else') return { kind: 'if', test, body, otherwise: null };
      at++;
      return { kind: 'if', test, body, otherwise: statement() };
    }
    if (first === 'switch') {
      until('{');
      const cases: Statement[] = [];
      while (tokens[at] !== '}') {
        until('{');
        cases.push(block());
      }
      at++;
      return { kind: 'switch', cases };
    }
    return { kind: 'simple', tokens: until(';') };
  };
  return statement();
}

const BINDING = [['||'], ['&&'], ['==', '!='], ['<', '>', '<=', '>='], ['+', '-'], ['*', '/', '%']];

/**
 * Evaluates an integer expression. Returns null if the expression contains a name without a known
 * value.
 */
export function evaluate(tokens: readonly string[], values: Values): number | null {
  let at = 0;
  const primary = (): number => {
    const token = tokens[at++];
    if (token === '-') return -primary();
    if (token === '(') {
      const value = binary(0);
      at++;
      return value;
    }
    if (/^\d/.test(token ?? '')) return Number.parseFloat(token);
    if (tokens[at] !== '(')
      return values.get(token) ?? (token === 'true' ? 1 : token === 'false' ? 0 : Number.NaN);
    const args: number[] = [];
    at++;
    while (tokens[at] !== ')') {
      args.push(binary(0));
      if (tokens[at] === ',') at++;
    }
    at++;
    if (token === 'select') return args[2] ? args[1] : args[0];
    if (token === 'min') return Math.min(...args);
    if (token === 'max') return Math.max(...args);
    return token === 'u32' || token === 'i32' ? args[0] : Number.NaN;
  };
  const binary = (level: number): number => {
    if (level === BINDING.length) return primary();
    let left = binary(level + 1);
    while (BINDING[level].includes(tokens[at])) {
      const operator = tokens[at++];
      left = apply(operator, left, binary(level + 1));
    }
    return left;
  };
  const value = binary(0);
  return at === tokens.length && !Number.isNaN(value) ? value : null;
}

function apply(operator: string, a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return Math.floor(a / b);
    case '%':
      return a % b;
    case '<':
      return Number(a < b);
    case '>':
      return Number(a > b);
    case '<=':
      return Number(a <= b);
    case '>=':
      return Number(a >= b);
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case '&&':
      return Number(a !== 0 && b !== 0);
    default:
      return Number(a !== 0 || b !== 0);
  }
}

/** An array access `name[index]`. `isWritten` is true for a write. */
export interface Access {
  readonly name: string;
  readonly index: readonly string[];
  readonly isWritten: boolean;
}

/** Returns the array accesses in a statement, in order. */
export function accessesOf(tokens: readonly string[]): Access[] {
  const found: Access[] = [];
  tokens.forEach((token, at) => {
    if (tokens[at + 1] !== '[' || !/^[A-Za-z_]/.test(token)) return;
    let end = at + 2;
    for (let depth = 1; depth > 0; end++) {
      if (tokens[end] === '[') depth++;
      if (tokens[end] === ']') depth--;
    }
    const isWritten = at === 0 && tokens[end] === '=';
    found.push({ name: token, index: tokens.slice(at + 2, end - 1), isWritten });
  });
  return found;
}

/** Receives a statement, the values known at that point, and how many times the statement runs. */
type Visit = (tokens: readonly string[], values: Values, times: number) => void;

/**
 * Visits the simple statements that one invocation runs. A loop with known bounds runs all its
 * iterations. A loop with an unknown bound, such as the loop over input blocks, counts as one
 * iteration. If the shader defines `CHUNK`, the first `CHUNK` iterations of such a loop are
 * visited, each with `times` divided by `CHUNK`. A switch runs its first case. An `if` with an
 * unknown condition runs both branches.
 * @param given the known built-in values and uniforms
 */
export function walk(shader: ParsedShader, given: Values, visit: Visit): void {
  const main = shader.functions.get('main');
  if (!main) throw new Error('no function main');
  const run = (statement: Statement, values: Map<string, number>, times: number): void => {
    if (statement.kind === 'block') {
      const own = new Map(values);
      for (const child of statement.body) run(child, own, times);
    } else if (statement.kind === 'simple') {
      const [word, name] = statement.tokens;
      const equals = statement.tokens.indexOf('=');
      if ((word === 'let' || word === 'const' || word === 'var') && equals > 0) {
        const value = evaluate(statement.tokens.slice(equals + 1), values);
        if (value === null) values.delete(name);
        else values.set(name, value);
      }
      visit(statement.tokens, values, times);
    } else if (statement.kind === 'if') {
      const test = evaluate(statement.test, values);
      if (test !== 0) run(statement.body, new Map(values), times);
      if (test !== 1 && statement.otherwise) run(statement.otherwise, new Map(values), times);
    } else if (statement.kind === 'switch') {
      run(statement.cases[0], new Map(values), times);
    } else {
      const { init, test, step, body } = statement;
      const name = init[1];
      const [start, bound] = [
        evaluate(init.slice(init.indexOf('=') + 1), values),
        evaluate(test.slice(2), values),
      ];
      const stride = step[1] === '++' ? 1 : evaluate(step.slice(2), values);
      if (start !== null && bound !== null && stride === 1) {
        for (let i = start; i < bound; i++) run(body, new Map(values).set(name, i), times);
      } else if (bound !== null && stride !== null && stride > 1) {
        // The invocations of a workgroup share the iterations of this loop.
        run(body, new Map(values).set(name, start ?? 0), (times * bound) / stride);
      } else {
        const chunk = values.get('CHUNK') ?? 1;
        for (let i = 0; i < chunk; i++) run(body, new Map(values).set(name, i), times / chunk);
      }
    }
  };
  run(main, new Map([...shader.constants, ...given]), 1);
}

/** Whether a statement adds a product to a sum of the convolution, as in `s0_1_2 += a * b`. */
const multiplies = (tokens: readonly string[]): boolean =>
  tokens[1] === '+=' && tokens[3] === '*' && /_\d+_\d+$/.test(tokens[0]);

/**
 * Counts the loads and multiply-adds in the hot loops (see `hotLoops`). For a kernel without hot
 * loops, all counts are 0.
 */
export function countLoads(code: string): Loads {
  const shader = parseShader(code);
  const { arrays, matrices, functions } = shader;
  const count = { storage: 0, uniform: 0, workgroup: 0, multiplyAdds: 0 };
  /** The sizes of the loaded matrices by variable name. */
  const held = new Map<string, { columns: number; rows: number }>();
  const add = (tokens: readonly string[], times: number): void => {
    for (const { name, isWritten } of accessesOf(tokens)) {
      const array = arrays.get(name);
      if (array && !isWritten) count[array.space] += array.vectors * times;
    }
    tokens.forEach((token, at) => {
      const called = tokens[at + 1] === '(' && functions.get(token);
      if (called) for (const inner of firstStatements(called)) add(inner, times);
    });
    if (multiplies(tokens)) count.multiplyAdds += 16 * times;
    const lanes = shader.constants.get('SUBGROUP') ?? 1;
    const load = tokens.indexOf('subgroupMatrixLoad');
    const loaded = matrices.get(tokens[load + 2]);
    if (load >= 0 && loaded) {
      const array = arrays.get(tokens[tokens.indexOf('&', load) + 1]);
      const size = loaded.columns * loaded.rows;
      if (array) count[array.space] += (size / 4 / lanes) * times;
      held.set(tokens[1], loaded);
    }
    const product = tokens.indexOf('subgroupMatrixMultiplyAccumulate');
    const [left, right] = [held.get(tokens[product + 2]), held.get(tokens[product + 4])];
    if (product >= 0 && left && right) {
      count.multiplyAdds += ((left.rows * left.columns * right.columns) / lanes) * times;
    }
  };
  const loops = hotLoops(shader);
  walk(
    { ...shader, functions: new Map([...functions, ['main', loops]]) },
    new Map(),
    (tokens, _, times) => add(tokens, times),
  );
  return count;
}

/**
 * Returns the hot loops of `main`, which are the outermost loops that contain multiply-adds. Also
 * returns the declarations of `main` that read no arrays and call none of the shader's functions.
 */
export function hotLoops({ functions }: ParsedShader): Statement {
  const main = functions.get('main');
  if (main?.kind !== 'block') throw new Error('no function main');
  const isHot = (statement: Statement): boolean => {
    if (statement.kind === 'simple') {
      return (
        multiplies(statement.tokens) ||
        statement.tokens.includes('subgroupMatrixMultiplyAccumulate')
      );
    }
    if (statement.kind === 'block') return statement.body.some(isHot);
    if (statement.kind === 'switch') return statement.cases.some(isHot);
    return (
      isHot(statement.body) ||
      (statement.kind === 'if' && !!statement.otherwise && isHot(statement.otherwise))
    );
  };
  const declares = (statement: Statement) =>
    statement.kind === 'simple' &&
    /^(let|const)$/.test(statement.tokens[0]) &&
    accessesOf(statement.tokens).length === 0 &&
    !statement.tokens.some((token) => functions.has(token));
  return { kind: 'block', body: main.body.filter((one) => isHot(one) || declares(one)) };
}

/**
 * Returns the simple statements of a function. A `switch` contributes only its first case, and an
 * `if` contributes only its first branch.
 */
function firstStatements(statement: Statement): (readonly string[])[] {
  if (statement.kind === 'simple') return [statement.tokens];
  if (statement.kind === 'block') return statement.body.flatMap(firstStatements);
  if (statement.kind === 'switch') return firstStatements(statement.cases[0]);
  return firstStatements(statement.body);
}
