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
