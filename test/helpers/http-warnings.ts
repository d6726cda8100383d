/** Collects the codes of the warnings that a test sets off, and keeps them off the terminal. */
export function recordWarnings(): () => string[] {
  let codes: string[] = [];
  let spy: jest.SpyInstance;
  beforeEach(() => {
    codes = [];
    spy = jest.spyOn(process, 'emitWarning').mockImplementation(((_: unknown, options?: { code?: string }) => {
      codes.push(options?.code ?? '');
    }) as typeof process.emitWarning);
  });
  afterEach(() => spy.mockRestore());
  return () => codes;
}
