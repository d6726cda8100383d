/** `check`: reports errors and surprises in a configuration. */
import { findings } from '../check/findings.js';
import { loadConfig } from '../config-file.js';
import { jsonText, type OutputOptions } from '../output.js';

export async function checkCommand(file: string, { json }: OutputOptions): Promise<string> {
  const found = await findings(await loadConfig(file));
  if (json) return jsonText(found);
  if (found.length === 0) return `${file} is valid, and holds no surprises.\n`;
  const lines = found.map(({ path, text }) => `  ${path}: ${text}\n`);
  return `${file} is valid. What may surprise:\n${lines.join('')}`;
}
