import Koa from 'koa';
import { adapterContract, http2Contract } from '../conformance/adapter/index.js';
import { koaHarness } from '../helpers/http-koa.js';

adapterContract('Koa 3', koaHarness(Koa));
http2Contract('Koa 3', koaHarness(Koa));
