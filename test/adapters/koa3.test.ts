import Koa from 'koa';
import { adapterContract } from '../conformance/adapter/index.js';
import { koaHarness } from '../helpers/http-koa.js';

adapterContract('Koa 3', koaHarness(Koa));
