/** Lua sources are built into modules of the same name, which have their text. */
declare module '*.lua.js' {
  const text: string;
  export default text;
}
