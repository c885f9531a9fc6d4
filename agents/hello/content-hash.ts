import { createHash } from 'node:crypto';

/** Names a style or script that stands in a page, so that the page's policy lets it run and nothing else (CSP3 section 2.3.1). */
export const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;
