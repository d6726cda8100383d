/** Who leaves as a signal aborts. Many may wait with one signal, and where many listen Node.js warns of a leak: one listener tells all. */

interface Listening {
  readonly tasks: Set<() => void>;
  readonly listener: () => void;
}

const listenings = new WeakMap<AbortSignal, Listening>();

/** Calls `task` when the signal aborts. Returns what cancels that, safe to call twice. */
export function onAbort(signal: AbortSignal, task: () => void): () => void {
  const { tasks, listener } = listenings.get(signal) ?? listen(signal);
  tasks.add(task);
  return () => {
    if (!tasks.delete(task) || tasks.size > 0) return;
    listenings.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

function listen(signal: AbortSignal): Listening {
  const tasks = new Set<() => void>();
  const listener = () => {
    for (const task of tasks) task();
  };
  const listening = { tasks, listener };
  listenings.set(signal, listening);
  signal.addEventListener('abort', listener);
  return listening;
}
