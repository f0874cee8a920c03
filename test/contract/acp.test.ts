import { AcpVisitor } from '../support/acp-visitor.ts';
import { adapterContract } from './adapter-contract.ts';

for (const [name, transport] of [
  ['lines', 'acpLines'],
  ['WebSocket', 'acpWebSocket'],
  ['HTTP', 'acpHttp'],
] as const) {
  adapterContract(`ACP, ${name}`, {
    open: (doors, visit) => AcpVisitor.open(doors, visit, transport),
    malformed: '-32602',
  });
}
