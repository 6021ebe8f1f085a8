import { statSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';

/** Where the API server is and how to speak to it. Plain data, so that it can be handed to a worker thread. */
export type Credentials = Readonly<{
  /** Origin and, behind some gateways, a path prefix. */
  server: string;
  /** `Authorization` and impersonation headers. Never logged. */
  headers: Readonly<Record<string, string>>;
  tls: TlsMaterial;
  proxyUrl?: string;
}>;

/** PEM texts and TLS switches. */
export type TlsMaterial = Readonly<{
  ca?: string;
  cert?: string;
  key?: string;
  passphrase?: string;
  rejectUnauthorized?: boolean;
  servername?: string;
}>;

export type CredentialSource = Readonly<{
  /** The credentials to use now; files are read again when they may have changed. */
  get(): Promise<Credentials>;
  /** Forgets everything that is cached, after the server said 401. */
  renew(): Promise<Credentials>;
}>;

export type KubeConfigChoice = Readonly<{
  /** A kubeconfig file; without it KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  kubeconfig?: string;
  context?: string;
  /** How long an answer is reused before files are looked at again; 10 s. */
  maxAgeMs?: number;
}>;

/**
 * Credentials by client-node's KubeConfig: service account, client certificates, exec plugins, OIDC, impersonation.
 * client-node reads CA, certificate and key files anew each time it is asked and token files every minute, so asking it
 * again is how a rotation is seen. `renew` starts over with a new KubeConfig, because its exec and token caches cannot
 * be emptied.
 */
export function credentialsFromKubeConfig(choice: KubeConfigChoice = {}): CredentialSource {
  const maxAgeMs = choice.maxAgeMs ?? 10_000;
  let config: KubeConfig | undefined;
  let configVersion = '';
  let held: { credentials: Credentials; at: number } | undefined;
  let pending: Promise<Credentials> | undefined;

  async function read(): Promise<Credentials> {
    const version = fileVersion(choice.kubeconfig);
    if (!config || version !== configVersion) {
      config = loadKubeConfig(choice);
      configVersion = version;
    }
    const credentials = await credentialsOf(config);
    held = { credentials, at: performance.now() };
    return credentials;
  }
  const single = () => {
    pending ??= read().finally(() => {
      pending = undefined;
    });
    return pending;
  };

  return {
    get: async () => (held && performance.now() - held.at < maxAgeMs ? held.credentials : single()),
    async renew() {
      await pending?.catch(() => undefined);
      config = undefined;
      held = undefined;
      return single();
    },
  };
}

/** What client-node makes up when there is neither a kubeconfig nor a service account. */
const NO_SERVER = 'http://localhost:8080';

/** client-node's view of the chosen kubeconfig or service account. */
function loadKubeConfig(choice: KubeConfigChoice): KubeConfig {
  const config = new KubeConfig();
  if (choice.kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(choice.kubeconfig);
  if (choice.kubeconfig === undefined && config.getCurrentCluster()?.server === NO_SERVER) {
    throw new Error('no API server to speak to: set KUBECONFIG, or run in a pod with the token of a service account');
  }
  if (choice.context !== undefined) config.setCurrentContext(choice.context);
  return config;
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`the kubeconfig has no cluster for context "${config.getCurrentContext()}"`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return {
    server: cluster.server,
    headers,
    tls: tlsMaterial(options),
    ...(cluster.proxyUrl === undefined ? {} : { proxyUrl: cluster.proxyUrl }),
  };
}

function tlsMaterial(options: RequestOptions): TlsMaterial {
  const material: Record<string, string | boolean> = {};
  for (const field of ['ca', 'cert', 'key', 'passphrase', 'servername'] as const) {
    const value = options[field];
    if (typeof value === 'string') material[field] = value;
    else if (Buffer.isBuffer(value)) material[field] = value.toString('utf8');
  }
  if (options.rejectUnauthorized !== undefined) material.rejectUnauthorized = options.rejectUnauthorized;
  return material;
}

function fileVersion(path: string | undefined): string {
  if (path === undefined) return '';
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs}/${size}/${ino}`;
}
