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
/** Generation of the pool that the Deployment was last rendered from. */
export const GENERATION_ANNOTATION = `${API_GROUP}/pool-generation`;
/** The leader that applied a Deployment with replicas last: a new one marks what its predecessor may be at work on. */
export const EPOCH_ANNOTATION = `${API_GROUP}/leader-epoch`;
