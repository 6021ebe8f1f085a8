import type { Verdict } from './conditions.ts';
import type { Decision } from './decision.ts';
import { standingEvents } from './events.ts';
import { healthEvents } from './health/events.ts';
import type { Care } from './health/look-after.ts';
import { sayBudget, sayDependencies } from './health/say.ts';
import type { Obstacle } from './obstacle.ts';
import type { QueueView } from './queue-view.ts';
import { POLL_TROUBLE_MS } from './recheck.ts';
import type { PoolState } from './state.ts';
import { renderStatus } from './status.ts';

type Hindered = Readonly<{ queue: QueueView; current: number; obstacle: Obstacle; care: Care }>;

/** Something stands in the way: the pool is only told of. */
export function decideNothing(
  state: PoolState,
  { queue, current, obstacle, care }: Hindered,
): Omit<Decision, 'interruptions'> {
  const { because, stalled: isStalled } = obstacle;
  const stalled = isStalled ? because : undefined;
  const verdict: Verdict = {
    ...(isStalled ? { stalled: because } : { reconciling: because }),
    scalingHeld: because,
    queue,
    dependencies: sayDependencies(care),
    restartBudget: sayBudget(care),
  };
  const said = { state, memory: state.memory, queue, verdict, care, because, wanted: current, current };
  const status = renderStatus({ ...said, bounds: [], draining: 0 });
  return {
    because,
    wanted: current,
    actions: [],
    drainSteps: [],
    drainOutcomes: [],
    makesToken: false,
    makesBudget: false,
    status,
    events: {
      noticed: [],
      carriedOut: [],
      withStatus: [...standingEvents({ state, stalled }), ...healthEvents(state, care, status)],
    },
    care,
    memory: state.memory,
    wake: 'none',
    recheckAfterMs: POLL_TROUBLE_MS,
  };
}
