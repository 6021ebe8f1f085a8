import { createRefusalMemory } from './refusals.ts';
import type { KubeRequest } from './request.ts';
import { keyOf, type ObjectRef, type ResourceType } from './resources.ts';
import type { KubeTransport } from './transport.ts';
import type { RawObject } from './watch-events.ts';

/** A write that the server accepted, and the version that it gave. */
export type Written = Readonly<{ type: ResourceType; namespace: string; resourceVersion: string }>;

export type WriterOptions = Readonly<{
  transport: KubeTransport;
  /** How long a refused body is not sent again; 5 minutes. */
  refusalMemoryMs?: number;
  /** Called after each write that the server accepted. */
  onWritten?: (written: Written) => void;
}>;

export type WriteRequest = KubeRequest & { type: ResourceType; ref: ObjectRef };

export type Writer = Readonly<{
  /** Sends the write unless this very body was refused for good a short time ago; `what` tells kinds of writes apart. */
  write<T>(what: string, request: WriteRequest): Promise<T>;
  tell(type: ResourceType, ref: ObjectRef, answer: RawObject | undefined): void;
}>;

export function createWriter({ transport, refusalMemoryMs = 300_000, onWritten }: WriterOptions): Writer {
  const refusals = createRefusalMemory(refusalMemoryMs);
  const tell: Writer['tell'] = (type, ref, answer) => {
    const resourceVersion = answer?.metadata?.resourceVersion;
    if (resourceVersion) onWritten?.({ type, namespace: ref.namespace, resourceVersion });
  };
  return {
    tell,
    async write<T>(what: string, request: WriteRequest): Promise<T> {
      const key = `${what} ${request.type.group}/${request.type.plural} ${keyOf(request.ref)}`;
      const known = refusals.recall(key, request.body);
      if (known) throw known;
      try {
        const answer = await transport.request<T & RawObject>(request);
        refusals.forget(key);
        tell(request.type, request.ref, answer);
        return answer;
      } catch (error) {
        refusals.learn(key, request.body, error);
        throw error;
      }
    },
  };
}
