import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { de as benchDe } from '../../bench/page/texts/de.ts';
import { en as benchEn } from '../../bench/page/texts/en.ts';
import { es as benchEs } from '../../bench/page/texts/es.ts';
import { ja as benchJa } from '../../bench/page/texts/ja.ts';
import { zh as benchZh } from '../../bench/page/texts/zh.ts';
import { fillHtml } from '../../scripts/texts.mjs';
import { FORMATS } from '../../src/codecs/formats.ts';
import { roughly, timeLeft } from '../format.ts';
import { choicesAt, choiceTitle } from '../models.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { ja } from './ja.ts';
import { isLanguage, LANGUAGES, preferredLanguage, TEXT_ATTRIBUTES } from './languages.ts';
import { useLanguage } from './texts.ts';
import { troubleOf } from './trouble.ts';
import { zh } from './zh.ts';

const OTHERS = { de, es, ja, zh };
const OTHERS_OF_BENCH = { de: benchDe, es: benchEs, ja: benchJa, zh: benchZh };

/**
 * Returns the paths of all strings in an object. A function's path includes its number of
 * arguments.
 */
function paths(value: unknown, path = ''): string[] {
  if (typeof value === 'function') return [`${path}(${value.length})`];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => paths(inner, `${path}.${key}`));
}

/** Returns all strings in an object. Functions are called with numbers as arguments. */
function texts(value: unknown): string[] {
  if (typeof value === 'function') return texts(value(...Array(value.length).fill(7)));
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.values(value).flatMap(texts);
}

describe('languages', () => {
  it.each(Object.entries(OTHERS))('%s has the texts of English, and no others', (_, texts) => {
    const { errors: _en, ...english } = en;
    const { errors, ...others } = texts;
    expect(paths(others)).toEqual(paths(english));
    const source = readFileSync('src/errors.ts', 'utf8');
    const codes = [...source.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(15);
    expect(Object.keys(errors ?? {})).toEqual(codes);
  });

  it.each(Object.entries(OTHERS))(
    '%s is translated: few texts are those of English',
    (_, texts) => {
      const same = Object.entries(en.page).filter(
        ([key, text]) => texts.page[key as keyof typeof en.page] === text,
      );
      // Some words, such as Original, Zoom and Pause, are the same in both languages.
      expect(same.map(([key]) => key).length).toBeLessThanOrEqual(4);
    },
  );

  it.each(Object.entries(OTHERS_OF_BENCH))(
    'the bench in %s has the texts of English, and no others, translated',
    (_, others) => {
      expect(paths(others)).toEqual(paths(benchEn));
      const english = texts(benchEn);
      const same = texts(others).filter((text, i) => text === english[i]);
      // Units and names are the same in all languages. In some languages, words such as Threads
      // also stay the same.
      expect(same.filter((text) => !/^(7 m?s|GPU: 7)$/.test(text)).length).toBeLessThanOrEqual(3);
    },
  );

  it.each(Object.entries({ en: [en, benchEn], ...pairs() }))(
    'in %s, the bench has the words of the demo',
    (_, [{ page: ofDemo }, { page }]) => {
      const shared = Object.keys(page).filter((key) => key in ofDemo && !OWN.has(key));
      expect(shared.length).toBeGreaterThanOrEqual(9);
      for (const key of shared) {
        expect(page[key as keyof typeof page], key).toBe(ofDemo[key as keyof typeof ofDemo]);
      }
    },
  );

  it('the browser chooses one', () => {
    expect(preferredLanguage(['de-AT', 'en'])).toBe('de');
    expect(preferredLanguage(['zh-Hant-TW'])).toBe('zh');
    expect(preferredLanguage(['fr', 'ja', 'en'])).toBe('ja');
    expect(preferredLanguage(['fr'])).toBe('en');
    expect(preferredLanguage([])).toBe('en');
    expect(isLanguage('toString')).toBe(false);
    expect(Object.keys(LANGUAGES)).toHaveLength(5);
  });
});

/** Keys that have a different meaning in the demo. */
const OWN = new Set(['title', 'description']);

const pairs = () => ({
  de: [de, benchDe] as const,
  es: [es, benchEs] as const,
  ja: [ja, benchJa] as const,
  zh: [zh, benchZh] as const,
});

describe('in another language', () => {
  afterEach(() => useLanguage('en'));

  it('numbers, models and errors follow', async () => {
    await useLanguage('de');
    expect(roughly(40_000)).toBe('etwa 40 s');
    expect(timeLeft(200_000)).toBe('noch etwa 3 min');
    expect(choiceTitle({ kind: 'photo', title: 'Photo' })).toBe('Foto');
    expect(choiceTitle({ kind: 'own-1', title: 'mine' })).toBe('mine');
    const offer = { id: 'a', task: 'upscale', scale: 2, description: '', best: true, fast: false };
    expect(choicesAt([{ ...offer, kind: 'photo' } as never], 2)[0].title).toBe('Foto');
    const { message, hint } = troubleOf(new Error('lp0 on fire'));
    expect(message).toBe('Ein Fehler in Crispen ist aufgetreten. (lp0 on fire)');
    expect(hint).toBe('Laden Sie die Seite neu.');
  });
});

/** Names, signs and formats, which are the same in all languages. */
const NAMES =
  /^(Crispen|API|Lanczos|Esc|[\d.]+×|\d+ %|[−+←→()]|A\d|((Full HD|QHD|4K), )?\d+ × \d+)$/;
const FORMAT_NAMES: readonly string[] = Object.values(FORMATS).map(({ name }) => name);
const isName = (text: string): boolean =>
  NAMES.test(text) || FORMAT_NAMES.includes(text.toLowerCase());

describe.each([
  ['index.html', en.page],
  ['bench.html', benchEn.page],
])('no text is in %s', (file, page) => {
  const html = readFileSync(file, 'utf8');

  it('itself', () => {
    const strays = [...html.replace(/<!--.*?-->/gs, '').matchAll(/>([^<>]+)</g)]
      .map(([, text]) => text.replace(/\s+/g, ' ').trim())
      .filter((text) => text !== '' && !isName(text));
    expect(strays).toEqual([]);
    const attributes = [...html.matchAll(/\s(aria-label|title|alt|placeholder)="([^"]+)"/g)];
    expect(attributes.filter(([, , text]) => text !== '{name}{size}')).toEqual([]);
  });

  it('and it names all of them', () => {
    const named = [...html.matchAll(/data-t(?:-\w+)?="(\w+)"/g)].map(([, key]) => key);
    expect([...new Set(named)].sort()).toEqual(Object.keys(page).sort());
    const filled = fillHtml(html, page, TEXT_ATTRIBUTES);
    expect(filled).toContain(`>${page.cancel}</`);
    expect(filled).toContain(`aria-label="${page.links}"`);
    expect(() => fillHtml('<p data-t="nonsense"></p>', page, TEXT_ATTRIBUTES)).toThrow(/nonsense/);
  });
});

describe('no text is in code', () => {
  const folders = ['demo', 'demo/crop', 'demo/inspector', 'demo/offline', 'bench/page'];
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      // The benchmark report is in English for all languages.
      .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^report\.ts$/.test(name))
      .map((name) => `${folder}/${name}`),
  );

  it.each(files)('not in %s', (file) => {
    expect(sentences(readFileSync(file, 'utf8'), file)).toEqual([]);
  });

  it('a sentence would be found', () => {
    expect(sentences("say(get('a'), 'Not done');", 'a.ts')).toEqual(['Not done']);
    expect(sentences('const a = `Done in $' + '{b} s`;', 'a.ts')).toEqual(['Done in  s']);
    expect(sentences("throw new Error('a mistake of ours');", 'a.ts')).toEqual([]);
    expect(sentences("a.className = 'button small';", 'a.ts')).toEqual([]);
  });
});

/**
 * Finds strings and templates that look like human-readable text: several words, and a capital
 * letter or a full stop.
 */
function sentences(source: string, file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    // Skips imports, and messages that only programmers see.
    if (ts.isThrowStatement(node) || ts.isImportDeclaration(node)) return;
    let text: string | null = null;
    if (ts.isStringLiteralLike(node)) text = node.text;
    if (ts.isTemplateExpression(node)) {
      text = [node.head, ...node.templateSpans.map(({ literal }) => literal)]
        .map((part) => part.text)
        .join('');
    }
    if (
      text !== null &&
      !isName(text.trim()) &&
      /^[A-Z].*\s|[a-z]{2,} [a-z]+.*[.…:?]\s*$/.test(text)
    )
      found.push(text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return found;
}
