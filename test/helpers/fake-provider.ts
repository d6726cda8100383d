/** Fake providers over HTTP for the tests of a file. */
import { createProvider, type FakeProvider, type ProviderOptions, type Serving, serve } from '@tollgate/fake-provider';

export const KEY = 'sk-fake-1';

export interface ServedProvider extends FakeProvider {
  readonly url: string;
}

/** To be called where tests are described. What is started with what it gives ends with the file. */
export function useFakeProviders(): (
  options: Partial<ProviderOptions> & Pick<ProviderOptions, 'kind'>,
) => Promise<ServedProvider> {
  const servings: Serving[] = [];
  afterAll(() => {
    for (const serving of servings) serving.close();
  });
  return async (options) => {
    const provider = createProvider({ keys: [KEY], ...options });
    const serving = await serve(provider);
    servings.push(serving);
    return Object.assign(provider, { url: serving.url });
  };
}

/** Resolves when no call is under way any more: a provider learns a moment later that its client has left. */
export async function idle(provider: FakeProvider): Promise<void> {
  while (provider.underWay > 0) await new Promise((resolve) => setImmediate(resolve));
}
