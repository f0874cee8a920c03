export { agUiAdapter, type AgUiLimits, type AgUiOptions } from './adapter.ts';
export * from './client/index.ts';
export { MediaLinks } from './media-links.ts';
