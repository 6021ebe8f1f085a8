/** The addresses inside a cluster's network namespace. They mean nothing outside, so every cluster has the same. */
export const network = {
  nodeName: 'node1',
  nodeAddress: '10.99.0.2',
  apiPort: 6443,
  podCidr: '10.244.0.0/16',
  nodePodCidr: '10.244.0.0/24',
  podGateway: '10.244.0.1',
  serviceCidr: '10.96.0.0/16',
  apiService: '10.96.0.1',
  nodeCidr: '10.99.0.0/24',
  domain: 'cluster.local',
} as const;

/** The API server's address inside. */
export const apiInside = `https://${network.nodeAddress}:${network.apiPort}`;

/** Where sockets and other state of the runtime lie, in the cluster's own /run. */
export const RUNTIME_DIR = '/run/awp-cluster';
export const CONTAINERD_SOCKET = `${RUNTIME_DIR}/containerd.sock`;
