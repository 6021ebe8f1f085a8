/**
 * Why a pool has the size that it has: one value that feeds the condition, the event, the log line, the metric's
 * label and the console. `reason` is CamelCase and stable, `message` one sentence with its real numbers.
 */
export type Because = Readonly<{ reason: DecisionReason; message: string }>;

export type DecisionReason =
  /** The number follows from the queue alone. */
  | 'SizedToQueue'
  /** Nothing waits and nothing runs. */
  | 'QueueEmpty'
  | 'QueuePaused'
  /** BullMQ's global concurrency lets no more jobs run at once. */
  | 'HeldByGlobalConcurrency'
  /** BullMQ's rate limit lets no more jobs start in time, or none at all now. */
  | 'HeldByRateLimit'
  /** A schedule's floor holds now. */
  | 'RaisedBySchedule'
  | 'RaisedToMinimum'
  | 'HeldToMaximum'
  /** `scaleUp.maxPerMinute` lets no more be added now. */
  | 'HeldToScaleUpLimit'
  /** The window has seen a greater need. */
  | 'HeldByWindow'
  /** A new leader has not watched a whole window yet. */
  | 'WatchingFirstWindow'
  /** A replica that may be running a job could be the one that is removed. */
  | 'HeldByRunningJobs'
  /** Replicas are on their way out; the number is lowered when they are proven idle. */
  | 'Draining'
  | 'HeldByRollout'
  /** A replica that is starting may not hear yet that it shall stop. */
  | 'HeldByStart'
  /** A dependency is out, or the replicas as a whole cannot reach it. */
  | 'HeldByDependency'
  /** All retries are spent on a template of which no replica ever became ready. */
  | 'HeldByRestartBudget'
  | 'QueueUnknown'
  /** Somebody else sets the number again and again. */
  | 'HandsOff'
  /** An HPA or ScaledObject scales the same Deployment. */
  | 'OtherAutoscaler'
  /** Nothing is changed, for `spec.mode` says so. */
  | 'Paused'
  | 'Recommend'
  | 'QueueTaken'
  | 'NameTaken'
  | 'DeploymentNotFound'
  | 'TemplateRefused'
  | 'Deleting'
  | 'InvalidPool'
  | 'ClusterUnknown';
