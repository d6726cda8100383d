export type { Finding } from './check/finding.js';
export { findings } from './check/findings.js';
export {
  type AccessLogEntry,
  type AccessLogMapping,
  accessLogEntry,
  accessLogTraffic,
} from './replay/access-log.js';
export { type Replay, type ReplayOptions, replay } from './replay/replay.js';
export type { LayerTally, Tally, Waits } from './replay/tally.js';
export { trafficLines } from './replay/traffic-log.js';
