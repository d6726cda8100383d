/**
 * What every adapter promises over HTTP, whatever the framework: one suite, driven through a {@link Harness}. What only
 * one framework has is tested beside it, in `test/adapters`.
 */
import { annotationContract } from './annotations.js';
import { behaviourContract } from './behaviours.js';
import { budgetContract } from './budgets.js';
import { choiceContract } from './choices.js';
import { currentAdmissionContract } from './current-admission.js';
import { endingContract } from './endings.js';
import { extendingContract } from './extending.js';
import type { Harness } from './harness.js';
import { headerContract } from './headers.js';
import { hostileInputContract } from './hostile-input.js';
import { identityContract } from './identity.js';
import { keyContract } from './keys.js';
import { hostileKeyContract } from './keys-hostile.js';
import { keyScopesContract } from './keys-scopes.js';
import { leavingContract } from './leaving.js';
import { pipeliningContract } from './pipelining.js';
import { proxyContract } from './proxies.js';
import { refusalContract } from './refusals.js';
import { retryAfterContract } from './retry-after.js';
import { storeDownContract } from './store-down.js';
import { waitingContract } from './waiting.js';
import { workbench } from './workbench.js';

export { http2Contract } from './http2.js';

export function adapterContract(name: string, harness: Harness): void {
  describe(name, () => {
    const open = workbench(harness);
    describe('annotations', () => annotationContract(open));
    describe('what clients choose', () => choiceContract(open));
    describe('identity', () => identityContract(open));
    describe('API keys', () => keyContract(open));
    describe('scopes of API keys', () => keyScopesContract(open));
    describe('hostile API keys', () => hostileKeyContract(open));
    describe('refusals', () => refusalContract(open));
    describe('a store that is down', () => storeDownContract(open));
    describe('Retry-After', () => retryAfterContract(open));
    describe('rate-limit headers', () => headerContract(open));
    describe('budgets', () => budgetContract(open));
    describe('the end of a response', () => endingContract(open));
    describe('extending in the handler', () => extendingContract(open));
    describe('a client that leaves', () => leavingContract(open));
    describe('requests sent at once on one connection', () => pipeliningContract(open));
    describe('requests that wait', () => waitingContract(open));
    describe('the current admission', () => currentAdmissionContract(open));
    describe('addresses and proxies', () => proxyContract(open));
    describe('hostile input', () => hostileInputContract(open));
    describe('behaviours', () => behaviourContract(open));
  });
}
