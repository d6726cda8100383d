/** How upstreams stand. */
import { z } from 'zod';
import type { May } from '../request.js';
import { type Operation, operation } from './operation.js';
import { nothing } from './schemas.js';

/** Whatever can tell how it stands, in plain data without secrets; such as what `createUpstream` returns. */
export interface AdminUpstream {
  inspect(): May<unknown>;
}

export function upstreamOperations(upstreams: Readonly<Record<string, AdminUpstream>>): readonly Operation[] {
  return [
    operation({
      id: 'listUpstreams',
      method: 'GET',
      path: '/upstreams',
      summary: 'How all upstreams stand.',
      input: nothing,
      output: z.object({ upstreams: z.array(z.object({ name: z.string(), state: z.unknown() })) }),
      async run() {
        const states = Object.entries(upstreams).map(async ([name, one]) => ({ name, state: await one.inspect() }));
        return { upstreams: await Promise.all(states) };
      },
    }),
  ];
}
