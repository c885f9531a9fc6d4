import type { Log } from '../ports/log.ts';
import type { ApiServiceSpec } from './api.ts';
import { isPinned } from './spec.ts';

/** What works, and will surprise its operator one day. Each is said once, until it has become something else. */
export class Warnings {
  private readonly log: Log;
  private readonly said = new Map<string, string>();
  private rollbackSaid = false;

  constructor(log: Log) {
    this.log = log;
  }

  look(agent: string, spec: ApiServiceSpec): void {
    this.image(agent, spec.TaskTemplate?.ContainerSpec?.Image ?? '');
    if (this.rollbackSaid) return;
    this.rollbackSaid = true;
    this.log.warn(
      '`docker service rollback` takes back the last sleep or wake and nothing else; deploy the earlier version instead',
    );
  }

  private image(agent: string, image: string): void {
    if (image === '' || this.said.get(agent) === image) return;
    this.said.set(agent, image);
    if (isPinned(image)) return;
    this.log.warn('image is named by a tag, so each start asks the registry; name it by its digest', { agent, image });
  }
}
