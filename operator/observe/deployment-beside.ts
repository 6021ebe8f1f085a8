import { type Known, known, type Millis, unknown } from '../core/known.ts';
import type { DeploymentView } from '../core/state.ts';
import type { KubeClient } from '../kube/client.ts';
import { messageOf } from '../kube/log.ts';
import { deployments, keyOf, type ObjectRef } from '../kube/resources.ts';
import { projectDeployment } from './cluster.ts';

/** Such a Deployment has no label of ours and is in no watch; a recommendation is not in a hurry. */
const LASTS_MS: Millis = 10_000;

type Reading = Readonly<{ at: Millis; view: Promise<Known<DeploymentView | null>> }>;

/** Reads Deployments that pools look at without owning them, each at most every ten seconds. */
export class DeploymentBesideReader {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #now: () => Millis;
  readonly #readings = new Map<string, Reading>();

  constructor({ client, now }: Readonly<{ client: Pick<KubeClient, 'get'>; now: () => Millis }>) {
    this.#client = client;
    this.#now = now;
  }

  /** Never rejects; `null`: there is none. */
  read(ref: ObjectRef): Promise<Known<DeploymentView | null>> {
    const now = this.#now();
    for (const [key, { at }] of this.#readings) if (at <= now - LASTS_MS) this.#readings.delete(key);
    const key = keyOf(ref);
    const before = this.#readings.get(key);
    if (before !== undefined) return before.view;
    const view = this.#get(ref, now);
    this.#readings.set(key, { at: now, view });
    return view;
  }

  async #get(ref: ObjectRef, now: Millis): Promise<Known<DeploymentView | null>> {
    try {
      const raw = await this.#client.get(deployments, ref);
      return known(raw === undefined ? null : projectDeployment(raw).view, now);
    } catch (error) {
      return unknown(`the Deployment ${ref.name} cannot be read: ${messageOf(error)}`);
    }
  }
}
