import picocolors from 'picocolors';

/** Left to itself it colours in CI too, where nobody may be looking at a terminal. */
export const pc = picocolors.createColors(process.stdout.isTTY === true && picocolors.isColorSupported);
