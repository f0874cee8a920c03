export { acpAdapter, type AcpOptions } from './adapter.ts';
export { bridgeStdio, serveStdio } from './stdio.ts';
