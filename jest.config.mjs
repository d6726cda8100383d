// The Vercel AI SDK ships ESM alone, which Jest can't load before Node 24.9: it is compiled as our own sources are.
const ESM_ONLY = '/node_modules/(ai|@ai-sdk|@workflow|zod)/';

/** Tests run against the sources; `test/e2e` runs against what `pnpm build` made. */
export default {
  testEnvironment: 'node',
  reporters: ['default', '<rootDir>/test/helpers/redis-reporter.cjs'],
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // In the contexts that tests run in, looking up a global is slow, unless each module gets it as a parameter.
  sandboxInjectedGlobals: [
    'Math',
    'Number',
    'Object',
    'Array',
    'Map',
    'Set',
    'Promise',
    'JSON',
    'Float64Array',
    'BigInt',
  ],
  // Each file leaves something behind in the process that ran it: a worker that has grown gives way to a new one.
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
  // What hangs is told of all the same, and a busy machine gets its time.
  testTimeout: 30_000,
  transformIgnorePatterns: [`^(?!.*${ESM_ONLY}).*/node_modules/`],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } }],
    [`${ESM_ONLY}.+\\.js$`]: ['@swc/jest', { jsc: { target: 'es2023' }, module: { type: 'commonjs' } }],
    '\\.lua$': '<rootDir>/test/helpers/lua-transform.cjs',
  },
  moduleNameMapper: {
    '^@tollgate/core$': '<rootDir>/packages/core/src/index.ts',
    '^@tollgate/core/(admin|http|keys)$': '<rootDir>/packages/core/src/$1/index.ts',
    '^@tollgate/core/(context|flexible|options|testing|traffic)$': '<rootDir>/packages/core/src/$1.ts',
    '^@tollgate/core/(redis)$': '<rootDir>/packages/core/src/store/$1/$1.ts',
    '^@tollgate/upstream/prices$': '<rootDir>/packages/upstream/src/prices.ts',
    '^tollgate$': '<rootDir>/packages/tollgate/src/index.ts',
    '^@tollgate/(express|fastify|koa|upstream)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
