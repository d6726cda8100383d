/** `check`: is a configuration right, and what in it will surprise? */
import { findings } from '../check/findings.js';
import { loadConfig } from '../config-file.js';

export async function checkCommand(file: string, { json }: { json?: boolean }): Promise<string> {
  const found = await findings(await loadConfig(file));
  if (json) return `${JSON.stringify(found, undefined, 2)}\n`;
  if (found.length === 0) return `${file} is right, and nothing in it will surprise.\n`;
  const lines = found.map(({ path, text }) => `  ${path}: ${text}\n`);
  return `${file} is right. What may surprise:\n${lines.join('')}`;
}
