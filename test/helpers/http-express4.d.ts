/** Express 4 under its alias: what the tests use of it looks the same in both versions. */
declare module 'express4' {
  import express from 'express';
  export default express;
}
