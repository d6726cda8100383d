import { adapterContract } from '../conformance/adapter/index.js';
import { fastifyHarness } from '../helpers/http-fastify.js';

adapterContract('Fastify 5', fastifyHarness);
