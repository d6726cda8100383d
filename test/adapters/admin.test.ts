import { adminContract } from '../conformance/admin/contract.js';
import { FRAMEWORKS } from '../helpers/http-admin.js';

describe.each(FRAMEWORKS)('%s', (_name, harness) => adminContract(harness));
