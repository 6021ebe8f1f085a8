import { describe, expect, it } from 'vitest';
import { commandOf, insideCommand } from './components.ts';

const DIR = '/cache/clusters/default';

describe('a component', () => {
  it('compacts etcd only as often as it is asked to', () => {
    expect(commandOf('apiserver', DIR, {}).join(' ')).not.toContain('compaction');
    expect(commandOf('apiserver', DIR, { etcdCompactionInterval: '10s' })).toContain('--etcd-compaction-interval=10s');
  });

  it('writes an audit log into the cluster’s folder when it is asked to', () => {
    expect(commandOf('apiserver', DIR, {}).join(' ')).not.toContain('audit');
    expect(commandOf('apiserver', DIR, { audit: true })).toContain(`--audit-log-path=${DIR}/logs/audit.log`);
  });

  it('gets further flags last, so that they win', () => {
    const flags = { 'controller-manager': ['--node-monitor-grace-period=8s'] };
    expect(commandOf('controller-manager', DIR, { flags }).at(-1)).toBe('--node-monitor-grace-period=8s');
    expect(commandOf('scheduler', DIR, { flags }).join(' ')).not.toContain('grace');
  });
});

describe('a command inside', () => {
  it('enters the network of the cluster and nothing else', () => {
    const handle = { name: 'x', initPid: 42, kubeconfigInside: '', kubeconfigOutside: '', stateDir: '', kubectl: '' };
    expect(insideCommand(handle, ['npx', 'vitest'])).toEqual({
      command: 'nsenter',
      args: ['-t', '42', '-n', 'npx', 'vitest'],
    });
  });
});
