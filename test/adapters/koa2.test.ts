import Koa from 'koa2';
import { adapterContract } from '../conformance/adapter/index.js';
import { koaHarness } from '../helpers/http-koa.js';

adapterContract('Koa 2', koaHarness(Koa));
