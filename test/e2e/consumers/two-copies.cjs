/**
 * Two copies of everything in one process, one required and one imported, as where an app and a library that it uses have
 * each installed its own: the gate of one, the tolls and the current admission of the other. Writes what each app answered
 * to two requests.
 */
const { once } = require('node:events');
const express = require('express');
const fastify = require('fastify');
const Koa = require('koa');

const APPS = {
  async core(mine, other) {
    const gate = gateOf(mine);
    const visit = async () => {
      const decision = await gate.admit({ tier: 'large' });
      if (!decision.admitted) return decision.refusal.status;
      const within = mine.context.runWithAdmission(decision.admission, () => other.context.currentAdmission());
      return within === decision.admission ? 200 : 500;
    };
    return [await visit(), await visit()];
  },
  async express(mine, other) {
    const app = express();
    app.use(mine.express.tollgate(gateOf(mine)));
    app.get('/', other.express.toll('large'), (req, res) => res.sendStatus(statusOf(req.admission, other)));
    return visitTwice(app.listen(0, '127.0.0.1'));
  },
  async koa(mine, other) {
    const app = new Koa();
    app.use(mine.koa.tollgate(gateOf(mine))).use(other.koa.toll('large'));
    app.use((ctx) => {
      ctx.status = statusOf(ctx.admission, other);
    });
    return visitTwice(app.listen(0, '127.0.0.1'));
  },
  async fastify(mine, other) {
    const app = fastify();
    await app.register(mine.fastify.tollgate, { gate: gateOf(other) });
    app.get('/', { config: { toll: { tier: 'large' } } }, async (request, reply) => {
      reply.status(statusOf(request.admission, other));
      return {};
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return visitTwice(app.server);
  },
};

function gateOf({ core }) {
  return core.createTollgate({ limits: [core.slidingWindow({ name: 'all', limit: 10, window: '1m' })] });
}

function statusOf(admission, { context }) {
  return admission && context.currentAdmission() === admission ? 200 : 500;
}

async function visitTwice(server) {
  if (!server.listening) await once(server, 'listening');
  const visit = async () => (await fetch(`http://127.0.0.1:${server.address().port}`)).status;
  const statuses = [await visit(), await visit()];
  server.closeAllConnections();
  server.close();
  return statuses;
}

async function main() {
  const cjs = { context: require('@tollgate/core/context') };
  for (const name of Object.keys(APPS)) cjs[name] = require(`@tollgate/${name}`);
  // What is imported is what has been required, unless that is forgotten: as where two copies are installed.
  for (const file of Object.keys(require.cache)) if (/[\\/]@tollgate[\\/]/.test(file)) delete require.cache[file];
  const esm = { context: await import('@tollgate/core/context') };
  for (const name of Object.keys(APPS)) {
    esm[name] = await import(`@tollgate/${name}`);
    if (cjs[name].tollgate === esm[name].tollgate && name !== 'core') throw new Error(`one copy only of ${name}`);
  }
  const answers = {};
  for (const [name, answersOf] of Object.entries(APPS)) {
    answers[name] = { cjs: await answersOf(cjs, esm), esm: await answersOf(esm, cjs) };
  }
  console.log(JSON.stringify(answers));
}

main();
