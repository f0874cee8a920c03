import { AgUiVisitor } from '../support/ag-ui-visitor.ts';
import { adapterContract } from './adapter-contract.ts';

adapterContract('AG-UI', {
  open: (doors, visit) => AgUiVisitor.open(doors, visit),
  malformed: '400 INVALID_REQUEST',
});
