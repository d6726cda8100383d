/** What a framework must bring to be put through the contract: a way to build, of a plain description, an app of its own. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Admission, May, Refusal, Tollgate } from '@tollgate/core';
import type { ConductOptions, Fact, TierName, TollOptions } from '@tollgate/core/http';
import type { ApiKey } from '@tollgate/core/keys';

/** A request as handlers see it. */
export interface Call {
  /** Node's own, whatever the framework. */
  readonly req: IncomingMessage;
  /** Where the framework exposes it. */
  readonly admission: Admission | undefined;
  /** As the adapter tells it. */
  readonly key: ApiKey | undefined;
}

/** What to respond. The status is 200 unless given, or what the adapter has set for a refusal. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is sent as it comes. */
  readonly body?: string | Readable;
}

/** What annotations are functions of: Node's request, with the body as the framework has parsed it. */
export interface Asked extends IncomingMessage {
  readonly body?: unknown;
}

export interface Annotation extends TollOptions<Asked> {
  readonly tier: Fact<Asked, TierName>;
}

/** A middleware, or hook, of the app's own. Where it ends the response, nothing comes after it. */
export type Step = (req: IncomingMessage, res: ServerResponse) => May<void>;

export interface Route {
  /** GET unless given. */
  readonly method?: 'GET' | 'POST' | 'OPTIONS';
  readonly path: string;
  /** None unless given. */
  readonly toll?: Annotation | 'free';
  /** Stands before it, as that of a router does. Of Fastify, whose routes have one, `toll` is all there is. */
  readonly earlierToll?: Annotation;
  /** Stands between the toll and the handler. */
  readonly after?: Step;
  readonly handler: (call: Call) => May<Answer>;
}

export interface AppSpec {
  readonly gate: Tollgate;
  /** For the adapter, to be asked about Node's request. */
  readonly options?: ConductOptions<IncomingMessage>;
  /** The adapter's option of that name. What it throws goes the way of any error. */
  readonly refuse?: (refusal: Refusal) => May<Answer>;
  /** The framework's own setting; trusts nobody unless given. */
  readonly trustProxy?: boolean | number;
  /** JSON bodies are parsed before the tolls of routes are paid. They are unless given. */
  readonly parsesBodies?: boolean;
  /** Stands before the gate. */
  readonly before?: Step;
  /** Another gate that stands before this one; this one itself, mounted twice, unless it says which. */
  readonly outer?: { readonly gate?: Tollgate; readonly options?: ConductOptions<IncomingMessage> };
  /** Set on the response by a middleware that stands before the gate. */
  readonly earlierHeaders?: Readonly<Record<string, string>>;
  /** The server speaks HTTP/2, which some frameworks have to be told. */
  readonly http2?: boolean;
  readonly routes: readonly Route[];
  /**
   * To be called by the app's error handler, which then answers 500 with the body `app error`, or leaves to the framework what
   * bears a status of its own ({@link bearsStatus}).
   */
  readonly onError: (error: unknown) => void;
}

export function bearsStatus(error: unknown): boolean {
  return typeof (error as { status?: unknown } | undefined)?.status === 'number';
}

export type Harness = (app: AppSpec) => May<RequestListener>;
