/** What the client is told with the response, whatever that will be: where it stands and, of a ladder, which model was chosen. */
import type { Admission, Decision } from '../admission.js';
import type { Tollgate } from '../gate.js';
import type { LayerState } from '../meters/layer-state.js';
import { isPromise, type May } from '../request.js';
import type { Adapter } from './adapter.js';
import type { Exchange } from './exchange.js';
import { refusalHeaders } from './problem.js';
import { besideOthers, type Fields, type HeaderStyle, rateLimitHeaders } from './rate-limit-headers.js';

const MODEL_HEADER = 'tollgate-model';

export interface ResponseHeaders<S> {
  tell(response: S, exchange: Exchange, decision: Decision): May<void>;
  tellLayers(response: S, exchange: Exchange, layers: readonly LayerState[]): void;
  /** What an earlier toll has told of the model holds no longer. */
  forgetModel(response: S, exchange: Exchange): void;
}

export function createResponseHeaders<R, S>(
  { ladderModels }: Tollgate,
  adapter: Adapter<R, S>,
  style: HeaderStyle,
): ResponseHeaders<S> {
  /** Whoever begins a response before the toll does without. */
  function setHeaders(response: S, exchange: Exchange, fields: Fields): void {
    if (fields.length === 0 || adapter.isBegun(response)) return;
    for (let i = 0; i < fields.length; i++) {
      const [name, value] = fields[i];
      adapter.setHeader(response, name, besideOthers(adapter.getHeader(response, name), exchange.told, name, value));
    }
    exchange.told = fields;
  }

  function tellAdmitted(response: S, exchange: Exchange, { model }: Admission, layers: readonly LayerState[]): void {
    const fields = rateLimitHeaders(layers, style);
    if (model !== undefined && ladderModels.has(model)) fields.push([MODEL_HEADER, model]);
    setHeaders(response, exchange, fields);
  }

  return {
    tell(response, exchange, decision): May<void> {
      if (!decision.admitted) {
        const { refusal } = decision;
        setHeaders(response, exchange, [...rateLimitHeaders(refusal.layers, style), ...refusalHeaders(refusal)]);
      } else if (style !== false) {
        const { admission } = decision;
        const layers = decision.layers ?? admission.layers();
        if (isPromise(layers)) return layers.then((layers) => tellAdmitted(response, exchange, admission, layers));
        tellAdmitted(response, exchange, admission, layers);
      }
    },
    tellLayers: (response, exchange, layers) => setHeaders(response, exchange, rateLimitHeaders(layers, style)),
    forgetModel(response, { watched }) {
      if (watched && !adapter.isBegun(response)) adapter.removeHeader(response, MODEL_HEADER);
    },
  };
}
