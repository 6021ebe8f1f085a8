import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './exec.ts';
import { network } from './network.ts';

const DAYS = '3650';
const CLIENT = 'extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n';

const serverExtensions = (): string => {
  const services = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];
  const names = [...services, `kubernetes.default.svc.${network.domain}`].map((name) => `DNS:${name}`);
  const addresses = ['127.0.0.1', network.nodeAddress, network.apiService].map((address) => `IP:${address}`);
  return `extendedKeyUsage=serverAuth\nsubjectAltName=${[...names, ...addresses].join(',')}\n`;
};

const LEAVES: readonly Readonly<{ name: string; subject: string; extensions: string }>[] = [
  { name: 'apiserver', subject: '/CN=kube-apiserver', extensions: serverExtensions() },
  { name: 'admin', subject: '/O=system:masters/CN=admin', extensions: CLIENT },
  { name: 'kubelet', subject: `/O=system:nodes/CN=system:node:${network.nodeName}`, extensions: CLIENT },
  { name: 'proxy', subject: '/CN=system:kube-proxy', extensions: CLIENT },
  { name: 'front-proxy', subject: '/CN=front-proxy', extensions: CLIENT },
];

/** A certificate authority of the cluster's own, and what it signed: NAME.crt and NAME.key in `dir`, and sa.key/.pub. */
export const makeCertificates = async (dir: string): Promise<void> => {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const openssl = (...args: string[]) => run('openssl', args, { cwd: dir });
  const key = (name: string) =>
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);

  await key('ca');
  await openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=awp-cluster', '-days', DAYS, '-out', 'ca.crt');
  const leaf = async ({ name, subject, extensions }: (typeof LEAVES)[number], serial: number) => {
    await key(name);
    await writeFile(join(dir, `${name}.ext`), extensions);
    await openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    const signed = ['-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', String(serial)];
    await openssl('x509', '-req', ...signed, '-days', DAYS, '-extfile', `${name}.ext`, '-out', `${name}.crt`);
  };
  const serviceAccounts = async () => {
    await key('sa');
    await openssl('pkey', '-in', 'sa.key', '-pubout', '-out', 'sa.pub');
  };
  await Promise.all([...LEAVES.map((one, index) => leaf(one, index + 2)), serviceAccounts()]);
};

/** Writes a kubeconfig with keys inside, readable for its owner only. `user` is one of the client certificates. */
export const writeKubeconfig = async (
  file: string,
  { pki, user, server }: Readonly<{ pki: string; user: string; server: string }>,
): Promise<void> => {
  const base64 = async (name: string) => (await readFile(join(pki, name))).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'embedded', cluster: { server, 'certificate-authority-data': await base64('ca.crt') } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await base64(`${user}.crt`),
          'client-key-data': await base64(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: 'embedded', context: { cluster: 'embedded', user } }],
    'current-context': 'embedded',
  };
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 }); // JSON is YAML
};
