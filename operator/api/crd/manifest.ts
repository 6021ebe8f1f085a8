import { z } from 'zod';
import { API_GROUP, API_VERSION, KIND, LIST_KIND, PLURAL, SHORT_NAME, SINGULAR } from '../names.ts';
import { poolResource } from '../pool.ts';
import { toStructural } from './structural.ts';

type Column = Readonly<{
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  priority?: 1;
}>;

/** What `kubectl get awp` shows; priority 1 only with `-o wide`. */
const columns: readonly Column[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: 'The spec is applied and nothing hinders the operator.',
  },
  { name: 'Replicas', type: 'integer', jsonPath: '.status.replicas.current', description: 'Replicas that there are.' },
  { name: 'Wanted', type: 'integer', jsonPath: '.status.replicas.wanted', description: 'Replicas last decided on.' },
  { name: 'Waiting', type: 'integer', jsonPath: '.status.queue.waiting', description: 'Jobs that could start now.' },
  { name: 'Active', type: 'integer', jsonPath: '.status.queue.active', description: 'Jobs that run now.' },
  { name: 'Reason', type: 'string', jsonPath: '.status.decision.reason', description: 'Reason of the last decision.' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Age of the pool.' },
  {
    name: 'Oldest wait',
    type: 'string',
    jsonPath: '.status.queue.oldestWait',
    description: 'How long the oldest waiting job has waited.',
    priority: 1,
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: '.status.decision.message',
    description: 'The last decision and its arithmetic.',
    priority: 1,
  },
];

const openApiSchema = () => {
  const schema = z.toJSONSchema(poolResource, {
    target: 'openapi-3.0',
    // What a user may write: a field with a default is optional, and no object is closed (pruning takes care of that).
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    override: ({ zodSchema, jsonSchema }) => {
      // The API server owns metadata: a CRD may say no more than that it is there.
      if (zodSchema !== poolResource || jsonSchema.properties === undefined) return;
      jsonSchema.properties['metadata'] = { type: 'object' };
      jsonSchema.required = ['spec'];
    },
  });
  return {
    description: `${KIND} keeps a Deployment of BullMQ workers sized to the queue that they work on.`,
    ...toStructural(schema, KIND),
  };
};

/** The CustomResourceDefinition of the pool, as plain data. */
export const poolDefinition = () => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${PLURAL}.${API_GROUP}` },
  spec: {
    group: API_GROUP,
    scope: 'Namespaced',
    names: {
      kind: KIND,
      listKind: LIST_KIND,
      plural: PLURAL,
      singular: SINGULAR,
      shortNames: [SHORT_NAME],
      categories: ['all', 'agents'],
    },
    versions: [
      {
        name: API_VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: { openAPIV3Schema: openApiSchema() },
      },
    ],
  },
});
