/** The part of autocannon that is used here; it comes without types. */
declare module 'autocannon' {
  interface Result {
    readonly requests: { readonly average: number; readonly total: number };
    /** Seconds. */
    readonly duration: number;
    readonly errors: number;
    readonly non2xx: number;
  }
  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    requests: readonly { readonly path: string; readonly headers: Readonly<Record<string, string>> }[];
  }
  export default function autocannon(options: Options): Promise<Result>;
}
