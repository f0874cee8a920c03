import { bindings } from '../support/a2a-server.ts';
import { A2aVisitor } from '../support/a2a-visitor.ts';
import { adapterContract } from './adapter-contract.ts';

for (const binding of bindings) {
  adapterContract(`A2A, ${binding}`, {
    open: (doors, visit) => A2aVisitor.open(doors, visit, binding),
    malformed: 'RequestMalformedError',
  });
}
