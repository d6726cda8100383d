/** Says at the end that suites on Redis were left out, which is an error where CI runs them. */
module.exports = class RedisReporter {
  onRunComplete(_contexts, { testResults }) {
    const isLeftOut = ({ ancestorTitles }) =>
      ancestorTitles.some((title) => title.startsWith('left out, as there is no Redis'));
    const count = testResults.flatMap(({ testResults }) => testResults).filter(isLeftOut).length;
    if (count === 0) return;
    this.message =
      `Tests were LEFT OUT, as there is no Redis: ${count}. Put redis-server or valkey-server on the PATH ` +
      '(apt-get install redis-server), or set REDIS_URL to one that tests may use.';
    console.error(`\n${this.message}\n`);
  }

  getLastError() {
    return this.message !== undefined && process.env.CI === 'true' ? new Error(this.message) : undefined;
  }
};
