import { describe, expect, it } from 'vitest';
import { errorFromAnswer, isTerminalRefusal, lacksRight, wordsOf } from './errors.ts';

const refusal = (message: string, text = JSON.stringify({ kind: 'Status', message })) =>
  errorFromAnswer({ method: 'GET', path: '/x', status: 403, text, cureOf: () => 'get it' });

const PODS = 'pods is forbidden: User "operator" cannot list resource "pods" in API group ""';

describe('a right that the account has not', () => {
  it.each([
    [`${PODS} in the namespace "agents"`, 'list pods in namespace agents'],
    [`${PODS} at the cluster scope`, 'list pods in all namespaces'],
    [`${PODS} at the cluster scope: requires one of ["container.pods.list"]`, 'list pods in all namespaces'],
    [
      'deployments.apps "a" is forbidden: User "oidc:\\"some\\" one\\n" cannot patch resource "deployments/scale" in API group "apps" in the namespace "agents"',
      'patch deployments.apps/scale in namespace agents',
    ],
  ])('is told in its own words, whoever the account is and whatever follows: %s', (message, right) => {
    const error = refusal(message);
    expect(wordsOf(error)).toBe(`the operator's account may not ${right}: get it`);
    expect([lacksRight(error), isTerminalRefusal(error)]).toEqual([true, false]);
  });

  it.each([
    ['of no resource', refusal('forbidden: User "oidc:\\"x\\"" cannot get path "/version"')],
    ['in a line that was cut', refusal(PODS)],
    ['told by no Status', refusal('', `${PODS} at the cluster scope`)],
  ])('is one all the same where it cannot be named, being %s', (_what, error) => {
    expect(wordsOf(error)).toContain('forbidden: User "');
    expect([lacksRight(error), isTerminalRefusal(error)]).toEqual([true, false]);
  });

  it.each([
    'pods "a" is forbidden: exceeded quota: full, requested: pods=1, used: pods=1, limited: pods=1',
    'admission webhook "policy" denied the request: User "operator" cannot use resource "pods" in API group "" at the cluster scope',
  ])('is not what forbids by its own rules, which would refuse again: %s', (message) => {
    const error = refusal(message);
    expect([lacksRight(error), isTerminalRefusal(error), wordsOf(error)]).toEqual([false, true, message]);
  });
});
