import { basename } from 'node:path';
import { findGoldenCases, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';

/** The families with goldens in networks.test.ts, nonlocal.test.ts and transformer.test.ts. */
const ELSEWHERE =
  /^(acla|asid|compact|dat|dlsn|edsr|gla|lcoan|mosr|omnisr|rcan|realplksr|rrdb|span|srformer|swinir)_/;

/** The paths of the repository's goldens of A2N and of all families that no other test covers. */
export const OWN_GOLDENS = findGoldenCases('*').filter(
  (file) => file.startsWith(SEEDED_GOLDENS) && !ELSEWHERE.test(basename(file)),
);

/** The goldens of A2N. */
export const TINY_GOLDENS = OWN_GOLDENS.filter((file) => basename(file).startsWith('tiny_'));
