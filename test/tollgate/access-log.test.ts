/** Access logs, as servers write them, become traffic by a mapping. */
import { slidingWindow } from '@tollgate/core';
import { type AccessLogMapping, accessLogEntry, accessLogTraffic, replay } from 'tollgate';

const COMBINED =
  '203.0.113.7 - ann [10/Oct/2026:13:55:36 -0700] "POST /chat?x=1 HTTP/1.1" 200 2326 "https://example.com/" "curl/8 \\"x\\""';

test('an entry of the Combined Log Format', () => {
  expect(accessLogEntry(COMBINED)).toEqual({
    ip: '203.0.113.7',
    user: 'ann',
    at: Date.UTC(2026, 9, 10, 20, 55, 36),
    method: 'POST',
    path: '/chat?x=1',
    status: 200,
    bytes: 2326,
    referer: 'https://example.com/',
    userAgent: 'curl/8 \\"x\\"',
  });
});

test('an entry of the Common Log Format, with nothing known of who asked', () => {
  const entry = accessLogEntry('::1 - - [01/Mar/2026:00:00:00 +0530] "GET / HTTP/1.0" 304 -');
  expect(entry).toMatchObject({ ip: '::1', user: undefined, bytes: 0, referer: undefined });
  expect(entry?.at).toBe(Date.UTC(2026, 1, 28, 18, 30));
});

test.each([
  '',
  'hello',
  '{"at":1}',
  '::1 - - [01/Foo/2026:00:00:00 +0000] "GET / HTTP/1.0" 200 1',
  '::1 - - [01/Mar/2026:00:00:00 +0000] "-" 400 0',
  `::1 - - [01/Mar/2026:00:00:00 +0000] "${'\\'.repeat(20_000)}`,
])('%.20p… is no entry', (line) => expect(accessLogEntry(line)).toBeUndefined());

test('lines become requests that end after as long as the mapping says, in the order of time', async () => {
  const line = (second: number, path: string, status: number) =>
    `192.0.2.1 - - [10/Oct/2026:00:00:0${second} +0000] "POST ${path} HTTP/1.1" ${status} 10`;
  const mapping: AccessLogMapping = ({ path, ip }) =>
    path === '/health' ? undefined : { subject: { user: ip }, permits: 1, durationMs: path === '/slow' ? 5000 : 500 };
  const log = [line(0, '/slow', 500), line(1, '/health', 200), 'rubbish', line(2, '/fast', 200)];
  const traffic = [];
  for await (const event of accessLogTraffic(log, mapping)) traffic.push(event);
  expect(traffic.map(({ event, at }) => [event, at - Date.UTC(2026, 9, 10)])).toEqual([
    ['asked', 0],
    ['asked', 2000],
    ['settled', 2500],
    ['settled', 5000],
  ]);
  expect(traffic.at(-1)).toMatchObject({ id: '0', outcome: 'failed' });
  const limits = [slidingWindow({ name: 'user', by: 'user', limit: 1, window: '1m' })];
  expect(await replay({ limits }, accessLogTraffic(log, mapping))).toMatchObject({ asked: 2, refused: 1, changed: {} });
});
