/** Koa 2 under its alias: what the tests use of it looks the same in both versions. */
declare module 'koa2' {
  import Koa from 'koa';
  export default Koa;
}
