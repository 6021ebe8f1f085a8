import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../cluster/exec.ts';
import type { Engine } from './engine.ts';

/** What a secret looks like; the names are for the finding, which never repeats what was found. */
const SECRETS: readonly Readonly<{ what: string; pattern: RegExp }>[] = [
  { what: 'a private key', pattern: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}/ },
  { what: 'a cloud access key', pattern: /\bAKIA[0-9A-Z]{16}\b/ },
  { what: 'a token of GitHub', pattern: /\bgh[pousr]_[A-Za-z0-9]{36}\b/ },
  { what: 'a token of npm', pattern: /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*\S{8}/ },
  { what: 'a JSON web token', pattern: /\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}/ },
  { what: 'a key of an LLM provider', pattern: /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b/ },
  {
    what: 'a URL with a password',
    pattern: /\b(?:redis|rediss|postgres|postgresql):\/\/[^\s:@/"'`$]*:[^\s@/"'`$]{12,}@/,
  },
];

/** Files that have no place in an image, whatever is in them. */
const FILES =
  /(?:^|\/)(?:\.env(?:\..+)?|\.npmrc|\.git|\.netrc|id_(?:rsa|ed25519)|.*\.(?:pem|key|p12|kubeconfig))(?:\/|$)/;
const PUBLIC = /^etc\/ssl\/certs\//;

const OVERLAP = 512;

/** Reads a file in pieces that overlap, so that a large one needs no memory and nothing is missed at a border. */
async function secretsIn(file: string): Promise<readonly string[]> {
  const found = new Set<string>();
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const text = rest + (chunk as string);
    for (const { what, pattern } of SECRETS) if (pattern.test(text)) found.add(what);
    rest = text.slice(-OVERLAP);
  }
  return [...found];
}

/**
 * Looks at every file of every layer of an image, deleted ones too, and at its configuration. One line for each finding:
 * where, and what it looks like. `except` are layers that are not ours, by digest.
 */
export async function scanForSecrets({ docker }: Engine, image: string): Promise<readonly string[]> {
  const work = await mkdtemp(join(tmpdir(), 'awp-scan-'));
  try {
    const archive = join(work, 'image.tar');
    await docker(['save', '--output', archive, image]);
    const blobs = join(work, 'image');
    await run('mkdir', [blobs]);
    await run('tar', ['-C', blobs, '-xf', archive]);
    const findings: string[] = [];
    const files = await readdir(blobs, { recursive: true, withFileTypes: true });
    for (const entry of files.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      findings.push(...(await secretsIn(path)).map((what) => `${image}: ${what}`));
      const names = await run('tar', ['-tf', path]).catch(() => '');
      const wrong = names.split('\n').filter((name) => FILES.test(name) && !PUBLIC.test(name.replace(/^\.\//, '')));
      findings.push(...wrong.map((name) => `${image}: ${name} has no place in an image`));
    }
    return findings;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
