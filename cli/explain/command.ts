import { Command, InvalidArgumentError } from 'commander';
import type { Screen } from '../terminal.ts';
import { explain, renderExplanation } from './explanation.ts';
import { readPool } from './read-pool.ts';

type Options = Readonly<{ namespace?: string; context?: string; kubeconfig?: string; json?: true }>;

/** kubectl's ways to name an object of this kind. */
const KINDS = new Set(['pool', 'awp', 'agentworkerpool', 'agentworkerpools', 'agentworkerpools.agentpool.dev']);

export function explainCommand({ out }: Screen): Command {
  return new Command('explain')
    .description('Says why a pool has its size: the decision, its inputs, and the rules that bound it.')
    .argument('<pool/name>', 'a pool, as pool/NAME', parseName)
    .option('-n, --namespace <name>', "the pool's namespace; that of the context when absent")
    .option('--context <name>', 'a context of the kubeconfig')
    .option('--kubeconfig <file>', 'a kubeconfig; KUBECONFIG, then ~/.kube/config when absent')
    .option('--json', 'print one JSON object')
    .action(async (name: string, { json, ...access }: Options) => {
      const explanation = explain(await readPool({ name, ...access }));
      out(json === true ? `${JSON.stringify(explanation, null, 2)}\n` : renderExplanation(explanation, Date.now()));
    });
}

/** `pool/NAME`, or the name alone. */
export function parseName(text: string): string {
  const [kind = '', name] = text.includes('/') ? text.split('/', 2) : ['pool', text];
  if (!KINDS.has(kind.toLowerCase()) || text.split('/').length > 2) {
    throw new InvalidArgumentError('it must be pool/NAME');
  }
  if (name === undefined || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
    throw new InvalidArgumentError('the name of a pool has small letters, digits, "-" and "."');
  }
  return name;
}
