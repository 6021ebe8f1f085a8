/** The object that an event is about. */
export type Regarding = Readonly<{
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  resourceVersion?: string;
}>;

export type EventInput = Readonly<{
  regarding: Regarding;
  type: 'Normal' | 'Warning';
  /** Why, in CamelCase. */
  reason: string;
  /** What was done or failed, in CamelCase. */
  action: string;
  /** For people; cut at 1024 bytes. Equal events of six minutes become one with a count. */
  note: string;
}>;
