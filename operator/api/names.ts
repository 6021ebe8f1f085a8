/** The resource's coordinates, and every key that the operator writes on objects of the cluster. */
export const API_GROUP = 'agentpool.dev';
export const API_VERSION = 'v1alpha1';
export const GROUP_VERSION = `${API_GROUP}/${API_VERSION}`;
export const KIND = 'AgentWorkerPool';
export const LIST_KIND = 'AgentWorkerPoolList';
export const PLURAL = 'agentworkerpools';
export const SINGULAR = 'agentworkerpool';
export const SHORT_NAME = 'awp';

/** The container of the pod template that runs the jobs. */
export const WORKER_CONTAINER = 'worker';

/** Names the pool on its Deployment and pods; the Deployment's selector. */
export const POOL_LABEL = `${API_GROUP}/pool`;
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'agent-worker-pool';

/** Version of the rendering of the pod template: an operator upgrade keeps it until the pool's spec changes. */
export const RENDERING_ANNOTATION = `${API_GROUP}/rendering`;
/** Tells one Redis URL from another without holding it; on the pods, so that a rotated URL is a rollout. */
export const REDIS_URL_ANNOTATION = `${API_GROUP}/redis-url`;
/** Version of the Secret that the Redis URL was last read from. */
export const REDIS_SECRET_ANNOTATION = `${API_GROUP}/redis-secret`;
/**
 * In the template of the pods and not in the Deployment's selector: a replica that is proven idle loses it, and is one less
 * in the ReplicaSet's `fullyLabeledReplicas`.
 */
export const SERVING_LABEL = `${API_GROUP}/serving`;
/** On a replica that is proven idle: the proof, and which replicas ran beside it. */
export const PROVEN_IDLE_ANNOTATION = `${API_GROUP}/proven-idle`;
/** Kubernetes': among replicas that are not ready, the ReplicaSet takes the lowest first. */
export const DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
/** Of cluster-autoscaler and Karpenter: they leave a node with such a pod alone. */
export const EVICTION_ANNOTATIONS = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
} as const;

/** Generation of the pool that the Deployment was last rendered from. */
export const GENERATION_ANNOTATION = `${API_GROUP}/pool-generation`;
/** The leader that applied a Deployment with replicas last: a new one marks what its predecessor may be at work on. */
export const EPOCH_ANNOTATION = `${API_GROUP}/leader-epoch`;

/** The Secret with the token that the operator shows to a pool's replicas. */
export const tokenSecretOf = (pool: string): string => `${pool}-agentpool-token`;
export const TOKEN_KEY = 'token';

/** The greatest whole number that a field of 32 bits holds, as those of numbers of replicas are in Kubernetes. */
export const INT32_MAX = 2_147_483_647;
