export { agUiAdapter, type AgUiLimits, type AgUiOptions } from './adapter.ts';
