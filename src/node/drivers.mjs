/**
 * Finds the software that runs WebGPU on this machine: a Chromium, Vulkan drivers (by their ICD
 * files, which the Vulkan loader needs) and the Vulkan loader itself. This file is plain
 * JavaScript, because scripts use it before anything is built. The types are in drivers.d.mts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The folders in which Debian and other systems install Chromium. */
const CHROMIUM_FOLDERS = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/opt/google/chrome',
];

const SWIFTSHADER_ICD = 'vk_swiftshader_icd.json';

/**
 * Finds the Chromium for tests: `$CRISPEN_CHROMIUM`, an installed Chromium, or Playwright's
 * Chromium. Returns null if there is none.
 */
export function findChromium() {
  const wanted = process.env.CRISPEN_CHROMIUM;
  if (wanted) return existsSync(wanted) ? wanted : null;
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const installed = ['/usr/bin', ...folders].flatMap((folder) =>
    CHROMIUM_NAMES.map((name) => join(folder, name)),
  );
  const own = playwrightFolders().flatMap((folder) => [
    join(folder, 'chrome'),
    join(folder, 'chrome.exe'),
    join(folder, 'Chromium.app/Contents/MacOS/Chromium'),
    join(folder, 'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing'),
  ]);
  return [...installed, ...own].find((path) => existsSync(path)) ?? null;
}

/**
 * Finds SwiftShader's ICD file: `$CRISPEN_VK_ICD`, or the file in an installed Chromium. Returns
 * null if there is none.
 */
export function findSwiftShader() {
  const wanted = process.env.CRISPEN_VK_ICD;
  if (wanted) return existsSync(wanted) ? wanted : null;
  return inChromium(SWIFTSHADER_ICD)[0] ?? null;
}

/**
 * Lists the installed Vulkan drivers, divided into `hardware` and `software` (lavapipe). A driver
 * can be installed even if its hardware is not present.
 */
export function findVulkanDrivers() {
  const folders = [
    '/etc/vulkan/icd.d',
    '/usr/local/share/vulkan/icd.d',
    '/usr/share/vulkan/icd.d',
    join(homedir(), '.local/share/vulkan/icd.d'),
  ];
  const files = folders.flatMap((folder) =>
    list(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name)),
  );
  const isSoftware = (/** @type {string} */ file) => /lvp|lavapipe|swrast/.test(basename(file));
  return {
    hardware: files.filter((file) => !isSoftware(file)),
    software: files.filter(isSoftware),
  };
}

/**
 * Makes the Vulkan loader available to Dawn, which opens `libvulkan.so.1` by name. If the system
 * has no loader, this function loads the one that a Chromium installation contains. Dawn then finds
 * the loaded library by its name. Returns whether there is a loader.
 */
export function loadVulkan() {
  if (process.platform !== 'linux') return true;
  return ['libvulkan.so.1', ...inChromium('libvulkan.so.1')].some(openLibrary);
}

/**
 * Returns the path of a shared library that the dynamic linker finds or that a Chromium contains.
 * Returns null if there is none.
 * @param {string} name
 */
export function findLibrary(name) {
  const listed = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '';
  const found = listed.split('\n').find((line) => line.trim().startsWith(`${name} (`));
  return found?.split('=> ')[1]?.trim() ?? inChromium(name)[0] ?? null;
}

/** glibc's flag RTLD_NODELETE, which keeps the library loaded when the handle is closed. */
const RTLD_NODELETE = 0x1000;

/** @param {string} file */
function openLibrary(file) {
  try {
    process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    // Node treats every library as an addon. It loads this library, and then reports that it is not
    // an addon.
    return String(error).includes('did not self-register');
  }
  return true;
}

/**
 * Lists the paths of all files with this name in Chromium installations.
 * @param {string} name
 */
function inChromium(name) {
  const chosen = process.env.CRISPEN_CHROMIUM;
  const folders = [
    ...(chosen ? [dirname(chosen)] : []),
    ...CHROMIUM_FOLDERS,
    ...playwrightFolders(),
  ];
  return folders.map((folder) => join(folder, name)).filter((path) => existsSync(path));
}

/** Lists the folders of the Chromium builds that Playwright downloaded, newest first. */
function playwrightFolders() {
  const { PLAYWRIGHT_BROWSERS_PATH, LOCALAPPDATA } = process.env;
  const roots = [
    PLAYWRIGHT_BROWSERS_PATH,
    join(homedir(), '.cache/ms-playwright'),
    join(homedir(), 'Library/Caches/ms-playwright'),
    LOCALAPPDATA && join(LOCALAPPDATA, 'ms-playwright'),
  ];
  return roots
    .filter((root) => root !== undefined && root !== '')
    .flatMap((root) =>
      list(root)
        .filter((name) => name.startsWith('chromium-'))
        .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
        .flatMap((name) => list(join(root, name)).map((build) => join(root, name, build))),
    );
}

/** @param {string} folder */
function list(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}
