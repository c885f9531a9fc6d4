/** A trooper speaks HTTP as all of the world does. */
export { Refusal, type Refused, serveWorld } from '../world/http.ts';
