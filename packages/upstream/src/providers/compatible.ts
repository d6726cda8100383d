import { openaiFormat } from '../formats/openai.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { OPENAI_REQUESTS, OPENAI_TOKENS } from './openai.js';

/** Whatever speaks OpenAI's format, with its headers or none. `baseUrl` has to be given, and `name` should be. */
export const compatible = defineProvider({
  name: 'compatible',
  format: openaiFormat,
  authorize: bearer,
  limitHeaders: [OPENAI_REQUESTS, OPENAI_TOKENS],
});
