export { acpAdapter, type AcpOptions } from './adapter.ts';
