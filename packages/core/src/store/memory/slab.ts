/**
 * Slots of equal width in chunks of doubles, outside the garbage collector's sight. Each bears the numbers that identify
 * its record; those of a slot that nobody has are 0.
 */
export interface Slab {
  /** Doubles in a slot. */
  width: number;
  chunks: Float64Array[];
  /** Numbers that identify a record, for each slot. */
  readonly idWidth: number;
  ids: Int32Array;
  /** Slots that were ever used; those given back are in `free`. */
  slots: number;
  readonly free: number[];
}

const CHUNK_BITS = 8;
const CHUNK_SLOTS = 2 ** CHUNK_BITS;

export function createSlab(idWidth: number): Slab {
  return { width: 0, chunks: [], idWidth, ids: new Int32Array(0), slots: 0, free: [] };
}

/** The chunk that holds a slot. */
export function chunkAt(slab: Slab, slot: number): Float64Array {
  return slab.chunks[slot >> CHUNK_BITS];
}

/** Where a slot begins in its chunk. */
export function startAt(slab: Slab, slot: number): number {
  return (slot & (CHUNK_SLOTS - 1)) * slab.width;
}

/** A slot whose doubles and numbers are all 0. */
export function occupy(slab: Slab): number {
  const given = slab.free.pop();
  if (given !== undefined) return given;
  const slot = slab.slots++;
  if (slot === slab.chunks.length * CHUNK_SLOTS) slab.chunks.push(new Float64Array(CHUNK_SLOTS * slab.width));
  const ids = slot * slab.idWidth;
  if (ids === slab.ids.length) {
    const longer = new Int32Array(Math.max(16, slot + (slot >> 2)) * slab.idWidth);
    longer.set(slab.ids);
    slab.ids = longer;
  }
  return slot;
}

export function vacate(slab: Slab, slot: number): void {
  const start = startAt(slab, slot);
  chunkAt(slab, slot).fill(0, start, start + slab.width);
  slab.ids.fill(0, slot * slab.idWidth, (slot + 1) * slab.idWidth);
  slab.free.push(slot);
}

/** Gives every slot more doubles, after those that it has. Returns where they begin. */
export function widen(slab: Slab, doubles: number): number {
  const before = slab.width;
  slab.width += doubles;
  slab.chunks = slab.chunks.map((narrow) => {
    const wide = new Float64Array(CHUNK_SLOTS * slab.width);
    for (let i = 0; i < CHUNK_SLOTS; i++) wide.set(narrow.subarray(i * before, (i + 1) * before), i * slab.width);
    return wide;
  });
  return before;
}
