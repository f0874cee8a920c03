// Loaded with `--import`: as if the packages of gRPC were not installed.
import { register } from 'node:module';

const hooks = `export async function resolve(name, context, next) {
  if (/^(@grpc[/]grpc-js|@bufbuild[/]protobuf)/.test(name)) {
    const message = "Cannot find package '" + name + "' imported from " + context.parentURL;
    throw Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' });
  }
  return next(name, context);
}`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
