// The safeguards whose absence shows only when several things come together: each is told with and without it.
import { describe, expect, it } from 'vitest';
import { Script } from '../../../test/fixtures/drain-model/script.ts';
import type { Safeguard } from '../../../test/fixtures/drain-model/world.ts';

const pods = (script: Script): readonly string[] => script.world.api.pods.latest.map(({ uid }) => uid);

/** The busy replicas that the history takes away. */
const told = (tell: (without: readonly Safeguard[]) => Script, ...without: readonly Safeguard[]): readonly string[] =>
  tell(without).world.broken;

describe('no busy replica is removed', () => {
  it('when a number is lowered that the Deployment splits in the middle of a rollout', () => {
    const tell = (without: readonly Safeguard[]) => {
      const script = new Script(4, { without });
      const { generation } = script.world.api.deployment.latest;
      script.world.api.changeDeployment({ template: 'set-2', generation: generation + 1 });
      script.rollsTo(2);
      const old = script.world.api.pods.latest.filter(({ set, deleting }) => set === 'set-1' && !deleting);
      for (const { uid } of old) script.works(uid);
      script.wants(2);
      script.drains();
      script.pass();
      script.actsBlindly();
      return script;
    };
    expect(told(tell)).toEqual([]);
    expect(told(tell, 'oneReplicaSet')).toEqual([expect.stringContaining('was removed while it ran 1 jobs')]);
  });

  it('when a lower number arrives late, and the replica was given back to work', () => {
    const tell = (without: readonly Safeguard[]) => {
      const script = new Script(3, { without });
      script.wants(2);
      script.drains();
      const { operator, late } = script.world;
      operator.catchUp();
      for (const fate of ['arrives', 'arrives', 'arrives', 'late'] as const) operator.step(fate);
      const [write] = late;
      script.wants(3);
      script.pass();
      for (const uid of pods(script)) script.works(uid);
      if (write !== undefined) script.world.write(write);
      script.world.settle();
      return script;
    };
    expect(told(tell)).toEqual([]);
    expect(told(tell, 'fence')).toEqual([expect.stringContaining('was removed while it ran 1 jobs')]);
  });

  it('when a replica that is starting would go first, and has started meanwhile', () => {
    const tell = (without: readonly Safeguard[]) => {
      const script = new Script(3, { without });
      script.world.setReplicas(4);
      script.world.settle();
      const starting = script.pods.at(-1) ?? '';
      script.wants(3);
      script.drains();
      script.pass();
      script.starts(starting);
      script.works(starting);
      script.actsBlindly();
      return script;
    };
    expect(told(tell)).toEqual([]);
    expect(told(tell, 'othersRun', 'othersRanAtTheMark')).toEqual([
      expect.stringContaining('was removed while it ran 1 jobs'),
    ]);
  });

  it('when a replica has come since the last mark, and the ReplicaSet has not seen yet that it runs', () => {
    const tell = (without: readonly Safeguard[]) => {
      const script = new Script(3, { without });
      script.wants(2);
      script.pass(3);
      script.probes();
      script.pass();
      const [vanishing = ''] = script.pods;
      script.world.api.removePod(vanishing);
      script.counts();
      script.counts();
      const born = script.pods.at(-1) ?? '';
      script.starts(born);
      script.pass();
      script.works(born);
      script.actsBlindly();
      return script;
    };
    expect(told(tell)).toEqual([]);
    expect(told(tell, 'othersRanAtTheMark')).toEqual([expect.stringContaining('was removed while it ran 1 jobs')]);
  });
});

describe('somebody takes the label of those that serve', () => {
  it('from a replica that works: the pool comes down all the same, and the busy one stays', () => {
    const script = new Script(3);
    const [busy = ''] = script.pods;
    script.works(busy);
    script.world.stripPod(busy);
    script.wants(1);
    script.drains();
    script.pass();
    script.drains();
    script.pass();
    script.world.settle();
    expect(script.pods).toEqual([busy]);
    expect(script.world.broken).toEqual([]);
  });

  it('from a busy one that is not ready while another is proven idle: nobody is marked before it has its label again', () => {
    const script = new Script(3);
    const busy = script.pods.at(-1) ?? '';
    script.works(busy);
    script.wants(2);
    script.pass(3);
    script.probes();
    script.world.find(busy, false);
    script.world.publish(busy, 0);
    script.world.stripPod(busy);
    script.pass(2);
    script.actsBlindly();
    expect(script.world.broken).toEqual([]);
    script.world.settle();
    script.pass();
    script.world.settle();
    script.pass();
    script.world.settle();
    expect(script.pods).toHaveLength(2);
    expect(script.pods).toContain(busy);
    expect(script.world.broken).toEqual([]);
  });

  it('and the proof from a marked one, whose lower number is under way: it gets no job before it is gone', () => {
    const script = new Script(3);
    script.wants(2);
    script.drains();
    const marked = script.world.api.pods.latest.find(({ mark }) => mark !== undefined)?.uid ?? '';
    script.pass();
    expect(script.world.api.deployment.latest.replicas).toBe(2);
    script.world.stripPod(marked);
    script.pass();
    script.works(marked);
    script.world.settle();
    expect(script.pods).toHaveLength(2);
    expect(script.pods).not.toContain(marked);
    expect(script.world.broken).toEqual([]);
  });
});
