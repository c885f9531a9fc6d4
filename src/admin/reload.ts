import { ReloadView } from '../contract/api.ts';
import type { Control } from '../runtime/control.ts';
import { type App, call } from './openapi.ts';
import { valueOf } from './problems.ts';

/** The config file, read again. */
export function reloadRoutes(app: App, control: Control): void {
  app.post(
    '/admin/reload',
    call({
      access: 'admin',
      id: 'reload',
      tag: 'operation',
      summary: 'Load the config file again',
      description: 'A good file is applied as a difference. A bad one changes nothing; `complaints` lists every mistake in it.',
      replies: { 200: ReloadView },
      problems: ['config-invalid', 'state-failed'],
    }),
    async () => valueOf(await control.reload()),
  );
}
