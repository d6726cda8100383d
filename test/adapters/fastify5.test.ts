import { adapterContract, http2Contract } from '../conformance/adapter/index.js';
import { fastifyHarness } from '../helpers/http-fastify.js';

adapterContract('Fastify 5', fastifyHarness);
http2Contract('Fastify 5', fastifyHarness);
