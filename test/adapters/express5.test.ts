import express from 'express';
import { adapterContract } from '../conformance/adapter/index.js';
import { expressHarness } from '../helpers/http-express.js';

adapterContract('Express 5', expressHarness(express));
