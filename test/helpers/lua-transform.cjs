/** Lua sources as modules that have their text, as the build makes them. */
module.exports = {
  process: (text) => ({ code: `module.exports = ${JSON.stringify(text)};` }),
};
