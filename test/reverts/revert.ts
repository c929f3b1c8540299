/** The fix of a fault and the test that holds it: without the fix, the test must fail. */
export interface Revert {
  /** Its name: `B3` for bugs of the page, `F4` for faults of the engine; `F4b` where a fault has several causes. */
  readonly name: string;
  /** What happened, in a few words. */
  readonly fault: string;
  /** What reverts the fix. */
  readonly edits: readonly Edit[];
  readonly project: 'unit' | 'unit-timed' | 'gpu' | 'e2e';
  /** The test's file, and its title or the start of it. */
  readonly test: readonly [file: string, title: string];
}

/** `from` occurs once in the file. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}
