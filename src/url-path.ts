import { Fault } from './fault.ts';

/** One segment of a URL's path. @throws Fault `invalid-request` */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new Fault('invalid-request', 'the path is not well encoded', { cause });
  }
}
