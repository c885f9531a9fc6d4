import { entriesOf, isObject, type Loose } from './loose.ts';
import { type Places, pointerTo } from './places.ts';

/**
 * Puts `defaults.health` and `defaults.idle` under every agent, key by key, before the schema fills in its own defaults:
 * in the other order nothing would be left for them to fill. The places come along, so that a mistake in a default is
 * reported once, where it stands.
 */
export function mergeDefaults(root: Loose, places: Places): void {
  const agents = entriesOf(root['agents']).flatMap(([name, agent]) => (isObject(agent) ? [{ name, agent }] : []));
  for (const section of ['health', 'idle']) {
    for (const [key, value] of entriesOf(isObject(root['defaults']) ? root['defaults'][section] : undefined)) {
      const moving = places.under(pointerTo(`/defaults/${section}`, key));
      for (const { name, agent } of agents) {
        if (agent[section] === undefined) agent[section] = {};
        const own = agent[section];
        if (!isObject(own) || Object.hasOwn(own, key)) continue;
        own[key] = structuredClone(value);
        const to = pointerTo(`${pointerTo('/agents', name)}/${section}`, key);
        for (const { rest, place } of moving) places.set(to + rest, place);
      }
    }
  }
  for (const { agent } of agents) {
    // "As far as `replicas`" is a default that depends on another value, which a schema cannot say.
    const { replicas } = agent;
    if (agent['replicas_max'] === undefined && typeof replicas === 'number' && replicas > 1) agent['replicas_max'] = replicas;
  }
}
