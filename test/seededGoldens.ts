import { basename } from 'node:path';
import { findGoldenCases, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';

/**
 * Matches the families whose goldens are compared in networks.test.ts, nonlocal.test.ts and
 * transformer.test.ts.
 */
const ELSEWHERE =
  /^(acla|asid|compact|dat|dlsn|edsr|gla|lcoan|mosr|omnisr|rcan|realplksr|rrdb|span|srformer|swinir)_/;

/** The paths of the repository's goldens for A2N and for all families that no other test covers. */
export const OWN_GOLDENS = findGoldenCases('*').filter(
  (file) => file.startsWith(SEEDED_GOLDENS) && !ELSEWHERE.test(basename(file)),
);

/** The goldens for A2N. */
export const TINY_GOLDENS = OWN_GOLDENS.filter((file) => basename(file).startsWith('tiny_'));
