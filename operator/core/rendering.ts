import {
  EVICTION_ANNOTATIONS,
  GENERATION_ANNOTATION,
  RENDERING_ANNOTATION,
  SERVING_LABEL,
  TOKEN_KEY,
  tokenSecretOf,
} from '../api/names.ts';
import type { Pool } from '../api/parse.ts';
import type { Fields } from './manifest.ts';
import type { DeploymentView } from './state.ts';

/**
 * What the operator adds to a pool's pod template, by version: an operator upgrade restarts no worker, so a pool keeps the
 * version that its Deployment was rendered with until its spec changes. A rollback restarts none either, if the version before
 * knows the rendering: so a new one is added here in a minor release at the latest before the one that makes it current.
 */
export type Rendering = '1' | '2';

/** What a new or changed pool gets. One that renders otherwise is a new version, which the release before must know. */
export const CURRENT_RENDERING: Rendering = '2';

export type Additions = Readonly<{
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  graceSeconds: number;
  volumes: readonly Fields[];
  mounts: readonly Fields[];
  variables: readonly Fields[];
}>;

/** After the drain limit a worker hands back what still runs, and ends within this time (docs/worker-endpoints.md). */
const HAND_BACK_SECONDS = 15;
const TOKEN_VOLUME = 'agentpool-token';
const TOKEN_FOLDER = '/var/run/agentpool';

export function additionsOf(pool: Pool, rendering: Rendering): Additions {
  switch (rendering) {
    case '1':
      return { labels: {}, annotations: {}, graceSeconds: 915, volumes: [], mounts: [], variables: [] };
    case '2':
      return drainable(pool);
  }
}

/** A replica that can be told to take no new job, marked when it is idle, and left alone by those who empty nodes. */
function drainable(pool: Pool): Additions {
  const seconds = Math.ceil(pool.spec.drain.timeoutMs / 1000);
  return {
    labels: { [SERVING_LABEL]: 'true' },
    annotations: EVICTION_ANNOTATIONS,
    graceSeconds: seconds + HAND_BACK_SECONDS,
    // A pod must start without it too: the operator may not be allowed to make it.
    volumes: [{ name: TOKEN_VOLUME, secret: { secretName: tokenSecretOf(pool.name), optional: true } }],
    mounts: [{ name: TOKEN_VOLUME, mountPath: TOKEN_FOLDER, readOnly: true }],
    variables: [
      { name: 'DRAIN_TIMEOUT_SECONDS', value: String(seconds) },
      { name: 'AGENTPOOL_TOKEN_FILE', value: `${TOKEN_FOLDER}/${TOKEN_KEY}` },
    ],
  };
}

const isRendering = (text: string | undefined): text is Rendering => text === '1' || text === '2';

/** The version of the Deployment that is there, while it is of the pool's present spec. */
export function renderingFor(pool: Pool, deployment: DeploymentView | null): Rendering {
  const before = deployment?.annotations[RENDERING_ANNOTATION];
  const isCurrent = deployment?.annotations[GENERATION_ANNOTATION] === String(pool.generation);
  return isCurrent && isRendering(before) ? before : CURRENT_RENDERING;
}

/** Whether the replicas can be told to take no new job, and marked. */
export const isDrainable = ({ annotations }: DeploymentView): boolean =>
  isRendering(annotations[RENDERING_ANNOTATION]) && annotations[RENDERING_ANNOTATION] !== '1';
