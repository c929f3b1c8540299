/** The fix for a fault, and the test for it. Without the fix, the test must fail. */
export interface Revert {
  /**
   * The name, such as `B3` for a bug in a page, `F4` for a fault in the engine, or `F4b` if a fault
   * has several causes.
   */
  readonly name: string;
  /** A short description of the fault. */
  readonly fault: string;
  /** The edits that revert the fix. */
  readonly edits: readonly Edit[];
  readonly project: 'unit' | 'unit-timed' | 'gpu' | 'e2e';
  /** The test's file, and its title or the start of the title. */
  readonly test: readonly [file: string, title: string];
}

/** An edit to a file. The text `from` must occur exactly once. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}
