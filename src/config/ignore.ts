import { isObject, type Loose, textOf, wholeOf } from './loose.ts';
import { type Places, pointerTo, type Report } from './places.ts';

/**
 * The rules of `ignore`, before and after the schema looks at them. Where a rule takes a list, one value may stand without it:
 * it is made a list of one first, so that the schema says of the value itself what is wrong with it, and everybody else meets
 * lists only.
 */
const LISTS = ['path', 'method', 'cidr'] as const;
const MATCHING = ['path', 'method', 'user_agent', 'header', 'cidr'] as const;
/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY: readonly unknown[] = [204, 205, 304];

export function spreadSingles(section: unknown, pointer: string, places: Places): void {
  for (const rule of rulesOf(section, pointer)) {
    for (const key of LISTS) {
      const value = rule.raw[key];
      if (value === undefined || value === null || typeof value === 'object') continue;
      rule.raw[key] = [value];
      const place = places.get(`${rule.pointer}/${key}`);
      if (place !== undefined) places.set(`${rule.pointer}/${key}/0`, place);
    }
  }
}

export function checkIgnore(section: unknown, pointer: string, report: Report): void {
  for (const rule of rulesOf(section, pointer)) {
    const label = report.places.label(rule.pointer);
    const says = MATCHING.filter((key) => rule.raw[key] !== undefined);
    if (says.length === 0) {
      report.at(rule.pointer, `${label} would fit every request; say which with ${MATCHING.join(', ')}`);
    } else if (says.length === 1 && Array.isArray(rule.raw['path']) && rule.raw['path'].includes('/*')) {
      const at = `${rule.pointer}/path`;
      report.at(
        at,
        `${report.places.label(at)} /* alone would fit every request; add ${MATCHING.slice(1).join(', ')} or a narrower path`,
      );
    }
    checkAnswer(rule.raw['answer'], `${rule.pointer}/answer`, report);
  }
}

function checkAnswer(answer: unknown, pointer: string, report: Report): void {
  if (!isObject(answer) || (textOf(answer['body']) ?? '') === '') return;
  const status = wholeOf(answer['status']);
  if (!WITHOUT_BODY.includes(status)) return;
  const at = `${pointer}/body`;
  report.at(
    at,
    `${report.places.label(at)} cannot be sent: an answer with status ${status} has no body; write \`status: 200\`, or leave the body out`,
  );
}

function rulesOf(section: unknown, pointer: string): { readonly raw: Loose; readonly pointer: string }[] {
  const rules = isObject(section) ? section['rules'] : undefined;
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((raw: unknown, index) => (isObject(raw) ? [{ raw, pointer: pointerTo(`${pointer}/rules`, index) }] : []));
}
