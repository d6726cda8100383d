import Koa from 'koa2';
import { adapterContract, http2Contract } from '../conformance/adapter/index.js';
import { koaHarness } from '../helpers/http-koa.js';

adapterContract('Koa 2', koaHarness(Koa));
http2Contract('Koa 2', koaHarness(Koa));
