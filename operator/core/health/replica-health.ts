import type { Check } from '../dependencies/check.ts';
import type { ReplicaWork } from '../restarts/view.ts';

/** What a replica says in `/health`. */
export type ReplicaHealth = Readonly<{
  work: ReplicaWork;
  /** When its cordon ends, by its own clock; to be shown. */
  cordonedUntil?: string;
  redis: Check;
  supabase: Check;
}>;
