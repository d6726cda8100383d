/** Servers that refuse requests which ask for usage: some tell it unasked. */
import type { WireFormat } from './format.js';
import { fields } from './values.js';

/** The same format, in which nobody asks for the usage of a stream. What a client asks for itself is taken out. */
export function unasked(format: WireFormat): WireFormat {
  return {
    ...format,
    askingForUsage(_call, body) {
      const { stream_options, ...others } = fields(body);
      return { body: stream_options === undefined ? body : others, isOurs: false };
    },
  };
}
