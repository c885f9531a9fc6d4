import { parse } from 'yaml';
import { readText } from '../house/tree.ts';

/** Every PromQL expression that is shipped, with where it stands. Variables of Grafana are put in. */
export interface Query {
  readonly where: string;
  readonly text: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

export const board = JSON.parse(readText('deploy/grafana/reveille.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};

const VARIABLES = { __rate_interval: '5m', agent: '.*', job: '.*' } as const;

export const boardQueries: readonly Query[] = board.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({
    where: title,
    text: expr.replaceAll(/\$(\w+)/g, (_whole, name: string) => VARIABLES[name as keyof typeof VARIABLES]),
  })),
);

const rules = parse(readText('deploy/prometheus/alerts.yml')) as {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
};

export const alertQueries: readonly Query[] = rules.groups.flatMap((group) =>
  group.rules.map(({ alert, expr }) => ({ where: alert, text: expr })),
);

/** One use of a metric in a query: its name, and the values that its labels are compared with. */
export interface Use {
  readonly name: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

export function usesOf({ text }: Query): readonly Use[] {
  return [...text.matchAll(/\b((?:reveille|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(([, name = '', selector = '']) => ({
    name,
    labels: Object.fromEntries(
      [...selector.matchAll(/(\w+)(?:=~|!=|!~|=)"([^"]*)"/g)].map(([, label = '', values = '']) => [label, values.split('|')]),
    ),
  }));
}

/** Labels that a query groups by. */
export const groupedBy = ({ text }: Query): readonly string[] =>
  [...text.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(',').map((name) => name.trim()));
