import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { fillHtml } from '../../scripts/texts.mjs';
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

/** Paths of all texts below an object; functions count with the number of their arguments. */
function paths(value: unknown, path = ''): string[] {
  if (typeof value === 'function') return [`${path}(${value.length})`];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => paths(inner, `${path}.${key}`));
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
      // Words such as Original, Zoom and Pause.
      expect(same.map(([key]) => key).length).toBeLessThanOrEqual(4);
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

/** Names and signs, which are the same in all languages. */
const NAMES =
  /^(Crispen|Lanczos|PNG|JPEG|WebP|AVIF|Esc|[\d.]+×|\d+ %|[−+←→()]|A\d|(Full HD|QHD|4K), \d+ × \d+)$/;

describe('no text is anywhere else', () => {
  const html = readFileSync('index.html', 'utf8');

  it('not in index.html', () => {
    const strays = [...html.replace(/<!--.*?-->/gs, '').matchAll(/>([^<>]+)</g)]
      .map(([, text]) => text.replace(/\s+/g, ' ').trim())
      .filter((text) => text !== '' && !NAMES.test(text));
    expect(strays).toEqual([]);
    const attributes = [...html.matchAll(/\s(aria-label|title|alt|placeholder)="([^"]+)"/g)];
    expect(attributes.map(([, , text]) => text)).toEqual(['{name}{size}']);
  });

  it('and index.html names all of them', () => {
    const named = [...html.matchAll(/data-t(?:-\w+)?="(\w+)"/g)].map(([, key]) => key);
    expect([...new Set(named)].sort()).toEqual(Object.keys(en.page).sort());
    const filled = fillHtml(html, en.page, TEXT_ATTRIBUTES);
    expect(filled).toContain(`>${en.page.choose}</button>`);
    expect(filled).toContain(`aria-label="${en.page.divider}"`);
    expect(() => fillHtml('<p data-t="nonsense"></p>', en.page, TEXT_ATTRIBUTES)).toThrow(
      /nonsense/,
    );
  });

  const files = ['demo', 'demo/crop', 'demo/inspector', 'demo/offline'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
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

/** Strings and templates that look like text for people: a capital or a full stop, and several words. */
function sentences(source: string, file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    // What only programmers see, and imports.
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
      !NAMES.test(text.trim()) &&
      /^[A-Z].*\s|[a-z]{2,} [a-z]+.*[.…:?]\s*$/.test(text)
    )
      found.push(text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return found;
}
