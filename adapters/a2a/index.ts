export { a2aAdapter } from './adapter.ts';
export { openGrpc } from './grpc.ts';
export type { A2aLimits, A2aOptions } from './options.ts';
export { TaskPusher, type TaskPusherOptions } from './task-pusher.ts';
