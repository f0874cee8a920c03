export { a2aAdapter, type A2aLimits, type A2aOptions } from './adapter.ts';
export { TaskPusher, type TaskPusherOptions } from './task-pusher.ts';
