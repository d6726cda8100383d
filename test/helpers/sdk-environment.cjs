/**
 * Node's environment for tests on SDKs. Jest gives each file a realm with errors of its own, yet `fetch` and timers are Node's,
 * and so are the errors that they throw: an SDK that asks for `instanceof Error` behaves otherwise there than in any app. Here
 * both are Node's, and Google's SDK finds the dispatcher that it asks for.
 */
const { TestEnvironment } = require('jest-environment-node');

const DISPATCHER = Symbol.for('undici.globalDispatcher.1');

module.exports = class SdkEnvironment extends TestEnvironment {
  constructor(...args) {
    super(...args);
    Object.assign(this.global, { Error, TypeError, RangeError });
    Object.defineProperty(this.global, DISPATCHER, { get: () => globalThis[DISPATCHER] });
  }
};
