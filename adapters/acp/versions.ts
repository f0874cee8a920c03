import { v1 } from './v1.ts';
import type { Version } from './version.ts';

/** The versions that are spoken, the newest first. */
export const versions: readonly [Version, ...Version[]] = [v1];
