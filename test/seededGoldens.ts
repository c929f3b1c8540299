import { basename } from 'node:path';
import { findGoldenCases, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';

/** Families whose goldens are in networks.test.ts, nonlocal.test.ts and transformer.test.ts. */
const ELSEWHERE =
  /^(acla|asid|compact|dat|dlsn|edsr|gla|lcoan|mosr|omnisr|rcan|realplksr|rrdb|span|srformer|swinir)_/;

/** The repository's goldens of A2N and of all families that no other test has, by their paths. */
export const OWN_GOLDENS = findGoldenCases('*').filter(
  (file) => file.startsWith(SEEDED_GOLDENS) && !ELSEWHERE.test(basename(file)),
);

/** Those of A2N. */
export const TINY_GOLDENS = OWN_GOLDENS.filter((file) => basename(file).startsWith('tiny_'));
