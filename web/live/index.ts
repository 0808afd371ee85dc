export { type Channel, families, fold, type Folded, newestFirst, waiting } from './fold';
export { follow, type Follower, type LiveClient, type LiveState, type Pace } from './follow';
export type * from './message';
export { isFinal, reconnectHint } from './closed';
