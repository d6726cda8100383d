import express from 'express4';
import { adapterContract } from '../conformance/adapter/index.js';
import { expressHarness } from '../helpers/http-express.js';

adapterContract('Express 4', expressHarness(express));
