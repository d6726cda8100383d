/** Checks on whose behalf a request comes, as apps say it. */
import { wrongValue } from './errors.js';
import { isRecord } from './schema.js';

export const A_SUBJECT = "an object such as { user: 'u1' }, or undefined for somebody unknown";

/** Of anything else the engine would read nothing, and count everybody as nobody. */
export function checkSubject(subject: unknown, field = 'subject'): void {
  if (subject === undefined || isRecord(subject)) return;
  throw wrongValue('TOLLGATE_REQUEST_INVALID', field, subject, A_SUBJECT);
}
