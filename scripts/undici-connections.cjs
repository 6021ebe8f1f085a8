// What the bundles have of undici: connections. Its own entry loads fetch, caches, mocks and WebSocket too, 14 MB of memory
// in each thread, and no bundler can take out of a CommonJS module what it exports. Order and side effect are those of
// undici/index.js. A name that is missing here is `undefined` in the bundle: whoever uses another one adds it.
const Dispatcher = require('undici/lib/dispatcher/dispatcher');
const Agent = require('undici/lib/dispatcher/agent');
const ProxyAgent = require('undici/lib/dispatcher/proxy-agent');
const errors = require('undici/lib/core/errors');
const api = require('undici/lib/api');
const buildConnector = require('undici/lib/core/connect');

Object.assign(Dispatcher.prototype, api);

module.exports = { Dispatcher, Agent, ProxyAgent, errors, buildConnector };
