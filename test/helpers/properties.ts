/** A property's lists grow as long as they say that they may: by default fast-check draws ten elements at most. */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), defaultSizeToMaxWhenMaxSpecified: true });
