import { Remembering, type Rule } from './ignore-rule.ts';

/**
 * The default set of `ignore`: callers of whom it is known that nobody waits for the agent behind them. What each is told
 * while the agent is not awake must be true, and must bring nobody to do something that harms:
 * - A probe asks whether callers are served, and they are: the agent wakes for them. Told 503, monitors wake people at night,
 *   and balancers take the daemon out, after which nobody could wake the agent any more. Only an agent that fails to start is
 *   reported as failing. The body says how things stand.
 * - robots.txt: a 404 would say that everything may be crawled, which the agent's own file may deny. A 503 makes crawlers wait.
 * - favicon.ico: browsers ask for it of themselves, remember a 404 and complain of a 503.
 * - A link preview that is refused leaves a bare link. A page of ours would be kept for days as what the link shows.
 * Crawlers of search engines are not here: whoever lets them in wants them served.
 */
const READING = ['GET', 'HEAD'] as const;

/** Of ours, and nothing in them repeats: JavaScript's own matcher is safe with them, and quicker. */
function expression(names: readonly string[]): Remembering {
  return new Remembering(new RegExp(names.join('|'), 'i'));
}

/** Probes, by the name that each gives itself. */
const PROBES = expression([
  ...['UptimeRobot', 'Pingdom', 'StatusCake', 'Better Uptime Bot', 'Better Stack', 'Site24x7', 'HetrixTools', 'Uptime-Kuma'],
  ...['updown\\.io', 'NodePing', 'Freshping', 'Checkly', 'OhDear', 'Hyperping', 'SentryUptimeBot', 'NewRelicPinger'],
  ...['Datadog/?Synthetics', 'GoogleStackdriverMonitoring', 'Amazon-Route53-Health-Check-Service', 'ELB-HealthChecker'],
  ...['GoogleHC/', 'Cloudflare-Healthchecks', 'Cloudflare-Traffic-Manager', 'Azure Traffic Manager', 'Edge Health Probe'],
  ...['kube-probe/', 'Consul Health Check', 'Envoy/HC', 'Blackbox.Exporter', 'Elastic-Heartbeat', 'check_http/', 'Gatus/'],
  'Statping',
]);

/** What chats and social networks fetch when a link is posted. Of Mastodon's requests only those for previews end in `/) Bot`. */
const PREVIEWS = expression([
  ...['Slackbot', 'Slack-ImgProxy', 'Twitterbot', 'facebookexternalhit', 'Facebot', 'Discordbot', 'TelegramBot', '^WhatsApp/'],
  ...['LinkedInBot', 'SkypeUriPreview', 'redditbot', '/\\) Bot$', 'Bluesky Cardyb', 'Synapse \\(bot', 'Mattermost-Bot'],
  ...['Iframely', 'Embedly', 'Pinterestbot', 'vkShare', 'ZulipURLPreview', 'Snap URL Preview'],
]);

const rule = (part: Partial<Rule> & Pick<Rule, 'whileAsleep'>): Rule => ({
  methods: READING,
  paths: null,
  userAgent: null,
  header: null,
  client: null,
  ...part,
});

export const DEFAULT_RULES: readonly Rule[] = [
  rule({ paths: [{ text: '/robots.txt', isPrefix: false }], whileAsleep: { kind: 'unavailable' } }),
  rule({
    paths: [{ text: '/favicon.ico', isPrefix: false }],
    whileAsleep: { kind: 'text', status: 204, contentType: 'text/plain; charset=utf-8', body: '' },
  }),
  rule({ userAgent: PROBES, whileAsleep: { kind: 'reachable' } }),
  rule({ userAgent: PREVIEWS, whileAsleep: { kind: 'unavailable' } }),
];
