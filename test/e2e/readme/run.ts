/** Runs the blocks of a README in their order: `node --import tsx run.ts ./0.ts`. */
const blocks: Record<string, () => Promise<unknown>> = await import(process.argv[2] ?? '');

const numberOf = (name: string) => Number(name.slice('block'.length));
for (const name of Object.keys(blocks).toSorted((a, b) => numberOf(a) - numberOf(b))) {
  try {
    await blocks[name]?.();
  } catch (error) {
    console.error(name, error);
    process.exit(1);
  }
}
// What a block has begun, such as a server or a connection, would hold the process.
process.exit(0);
