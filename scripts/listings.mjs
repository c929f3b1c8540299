/**
 * Writes listings and tables into docs.html when the site is built. The page then has its final
 * height from the start and is readable without scripts. Examples and recipes are files that tests
 * run. Tables come from docs/element.md.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const file = (/** @type {string} */ path) => readFileSync(resolve(root, path), 'utf8');

/** @returns {import('vite').Plugin} */
export function docsListings() {
  return {
    name: 'docs-listings',
    transformIndexHtml: {
      order: 'pre',
      handler: (html, { path }) => (path.endsWith('docs.html') ? fillDocs(html) : html),
    },
  };
}

const escaped = (/** @type {string} */ text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A listing can be scrolled sideways, also with the keyboard. */
const listing = (/** @type {string} */ code) =>
  `<div class="listing"><pre tabindex="0" role="group" aria-label="Source"><code>${code}</code></pre><button type="button" class="button small copy">Copy</button></div>`;

/** Replaces import paths with the package names that a site imports. */
const published = (/** @type {string} */ source) =>
  source
    .replace('../../../src/index.ts', 'crispen')
    .replace('../../../src/element/preview.ts', 'crispen/preview')
    .trim();

/** @param {string} html */
export function fillDocs(html) {
  return html
    .replace(/<pre><code>(.*?)<\/code><\/pre>/gs, (_, code) => listing(code))
    .replace(/<div data-example="(\w+)"><\/div>/g, (_, name) => {
      const source = escaped(published(file(`demo/docs/examples/${name}.ts`)));
      return `<div data-example="${name}">${listing(source)}<button type="button" class="button primary run">Run</button><div class="output" role="status"></div></div>`;
    })
    .replace(/<div data-recipe="([\w.-]+)"><\/div>/g, (_, name) =>
      listing(escaped(file(`demo/docs/recipes/${name}`).trim())),
    )
    .replace(/<div data-gallery>(.*?)<\/div>/gs, (all, markup) => {
      // Removes the path of this site's weights folder.
      const text = markup
        .trim()
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ base-url=".*?"|=""/g, '');
      return `${all}${listing(escaped(text.replaceAll('> <', '>\n<')))}`;
    })
    .replace(/<div data-table="([^"]+)"><\/div>/g, (_, section) =>
      table(file('docs/element.md'), section),
    );
}

/**
 * Returns a section's table as HTML.
 * @param {string} markdown
 * @param {string} section the section's heading
 */
export function table(markdown, section) {
  const text = markdown.split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  const rows = [...(text ?? '').matchAll(/^\|(.*)\|$/gm)].map(([, row]) =>
    row.split('|').map((cell) => cell.trim()),
  );
  if (rows.length < 3) throw new Error(`docs/element.md has no table under "${section}".`);
  const [head, , ...body] = rows;
  const line = (/** @type {string[]} */ cells, /** @type {string} */ tag) =>
    `<tr>${cells.map((cell) => `<${tag}>${inline(cell)}</${tag}>`).join('')}</tr>`;
  const lines = body.map((cells) => line(cells, 'td')).join('');
  return `<div class="scroll" tabindex="0" role="group" aria-label="${section}"><table><thead>${line(head, 'th')}</thead><tbody>${lines}</tbody></table></div>`;
}

const inline = (/** @type {string} */ text) =>
  escaped(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
