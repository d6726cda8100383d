/** Tells the operator of something that works but will surprise; through Node's own warnings, so it can be silenced. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: 'TollgateWarning', code });
}
