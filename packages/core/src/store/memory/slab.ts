/**
 * Records of equal width, in chunks outside the garbage collector's sight. Each begins with the numbers that identify it,
 * which are 0 where nobody has the slot, and its doubles follow: what is read together lies together.
 */
export interface Slab {
  /** Doubles in a slot, with the room that the numbers take. */
  width: number;
  chunks: Chunk[];
  /** Slots that were ever used; those given back are in `free`. */
  slots: number;
  readonly free: number[];
}

/** Two views of the same memory. */
export interface Chunk {
  readonly doubles: Float64Array;
  readonly numbers: Int32Array;
}

const CHUNK_BITS = 8;
const CHUNK_SLOTS = 2 ** CHUNK_BITS;

/** @param width doubles in a slot; none is no slot, until it is widened */
export function createSlab(width: number): Slab {
  return { width, chunks: [], slots: 0, free: [] };
}

/** The chunk that holds a slot. */
export function chunkAt(slab: Slab, slot: number): Chunk {
  return slab.chunks[slot >> CHUNK_BITS];
}

/** Where a slot begins among the doubles of its chunk; among the numbers it is twice as far. */
export function startAt(slab: Slab, slot: number): number {
  return (slot & (CHUNK_SLOTS - 1)) * slab.width;
}

/** A slot that is all 0. */
export function occupy(slab: Slab): number {
  const given = slab.free.pop();
  if (given !== undefined) return given;
  if (slab.slots === slab.chunks.length * CHUNK_SLOTS) slab.chunks.push(createChunk(slab.width));
  return slab.slots++;
}

export function vacate(slab: Slab, slot: number): void {
  const start = startAt(slab, slot);
  chunkAt(slab, slot).doubles.fill(0, start, start + slab.width);
  slab.free.push(slot);
}

/** Gives every slot more doubles, after those that it has. Returns where they begin. */
export function widen(slab: Slab, doubles: number): number {
  const before = slab.width;
  slab.width += doubles;
  slab.chunks = slab.chunks.map((narrow) => {
    const wide = createChunk(slab.width);
    for (let i = 0; i < CHUNK_SLOTS; i++) {
      wide.doubles.set(narrow.doubles.subarray(i * before, (i + 1) * before), i * slab.width);
    }
    return wide;
  });
  return before;
}

function createChunk(width: number): Chunk {
  const doubles = new Float64Array(CHUNK_SLOTS * width);
  return { doubles, numbers: new Int32Array(doubles.buffer) };
}
