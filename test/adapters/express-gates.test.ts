/** Several gates in one app, and routes as limits know them. Of both versions. */
import { slidingWindow, type Tollgate } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import type { RequestHandler } from 'express';
import { EXPRESS } from '../helpers/http-express.js';
import { identify, makeGate, statusesOf, usedByAnn } from '../helpers/http-gate.js';
import { closeServers, listen, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const ok: RequestHandler = (_req, res) => void res.send('ok');

/** Permits, then requests. */
const used = async (gate: Tollgate) => [await usedByAnn(gate, 'user'), await usedByAnn(gate, 'calls')];

afterEach(closeServers);

describe.each(EXPRESS)('%s', (_, express) => {
  recordWarnings();

  describe('limits by route', () => {
    const byRoute = slidingWindow({ name: 'route', by: 'route', limit: 1, window: '1m' });

    async function statuses(paths: string[]) {
      const gate = makeGate([byRoute]);
      const app = express();
      const router = express.Router();
      app.use(tollgate(gate));
      router.get('/chats/:id', toll('small'), ok);
      app.use('/users/:user', router);
      return statusesOf(await listen(app), paths);
    }

    test('know a route by its pattern', async () => {
      expect(await statuses(['/users/1/chats/1', '/users/1/chats/2'])).toEqual([200, 429]);
    });

    test('and by the pattern of where its router is mounted: a client’s choice of path is no way past them', async () => {
      expect(await statuses(['/users/1/chats/1', '/users/2/chats/1'])).toEqual([200, 429]);
    });

    test('and whatever the case of the path', async () => {
      expect(await statuses(['/users/1/chats/1', '/USERS/1/chats/1'])).toEqual([200, 429]);
    });
  });

  describe('several gates', () => {
    test('the nearest counts', async () => {
      const [outer, inner] = [makeGate(), makeGate()];
      const app = express();
      const router = express.Router();
      app.use(tollgate(outer, { identify }));
      router.use(tollgate(inner, { identify }));
      router.get('/', toll('large'), ok);
      app.use('/inner', router);
      app.get('/outer', toll('medium'), ok);
      const server = await listen(app);
      await send(server, '/inner');
      expect([await used(outer), await used(inner)]).toEqual([
        [0, 0],
        [10, 1],
      ]);
      await send(server, '/outer');
      expect([await used(outer), await used(inner)]).toEqual([
        [3, 1],
        [10, 1],
      ]);
    });

    test('a gate passed on the way to a sibling is not the nearest of a route after it', async () => {
      const [outer, inner] = [makeGate(), makeGate()];
      const app = express();
      const router = express.Router();
      app.use(tollgate(outer, { identify }));
      app.get('/', toll('large'), ok);
      router.use(tollgate(inner, { identify }));
      app.use('/inner', router);
      const server = await listen(app);
      await send(server, '/');
      expect([await used(outer), await used(inner)]).toEqual([
        [10, 1],
        [0, 0],
      ]);
    });

    test('one gate mounted again behind another still charges once', async () => {
      const [a, b] = [makeGate(), makeGate()];
      const app = express();
      app.use(tollgate(a, { identify, defaultTier: 'small' }));
      app.use(tollgate(b, { identify }));
      app.use(tollgate(a, { identify }));
      app.get('/', toll('large'), ok);
      const server = await listen(app);
      await send(server, '/');
      expect([await used(a), await used(b)]).toEqual([
        [10, 1],
        [0, 0],
      ]);
    });

    test('what is admitted after a free router behind a gate mounted twice is settled too', async () => {
      const gate = makeGate();
      const ids = { admitted: new Set<string>(), settled: new Set<string>() };
      gate.on('admitted', ({ id }) => ids.admitted.add(id));
      gate.on('settled', ({ id }) => ids.settled.add(id));
      const app = express();
      app.use(tollgate(gate, { identify, defaultTier: 'small' }));
      app.use(tollgate(gate, { identify }));
      app.use(toll.free);
      app.get('/', toll('large'), ok);
      const server = await listen(app);
      await send(server, '/');
      expect(ids.admitted.size).toBeGreaterThan(0);
      expect(ids.settled).toEqual(ids.admitted);
    });
  });
});
