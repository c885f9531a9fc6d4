# Three images out of one file. The last one is the daemon's, so `docker build .` makes that; `docker build --target hello .`
# makes the agent of agents/hello, and shows what an image for an agent needs: no more than any HTTP server. `--target world`
# makes Bob's World: a trooper, and its scoreboard by another command.
#
# It is built by BuildKit and by the classic builder alike, so it uses neither mounts nor heredocs. Behind a proxy give the
# predefined --build-arg HTTPS_PROXY=... and NO_PROXY=...; the only address that is asked for is the npm registry's.
#
# An operator who pins what is built on gives a digest: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:...
ARG NODE_IMAGE=node:24-bookworm-slim

# What runs: no development packages, and no script of any package is run.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# Numbers of its own, because a file on a volume belongs to a number and 1000 is usually somebody on the host.
FROM ${NODE_IMAGE} AS runtime
RUN groupadd --gid 10001 reveille \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin reveille
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app ./
USER 10001:10001

# Agents run from source: Node strips the types. They read the contract and nothing else of the daemon.
FROM runtime AS hello
COPY src/contract ./src/contract
COPY src/std ./src/std
COPY agents ./agents
LABEL org.opencontainers.image.title="reveille-hello" \
      org.opencontainers.image.description="An agent that shows its own life: what woke it, what holds it awake, when it will sleep." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
ENV PORT=3000 HOST=0.0.0.0
EXPOSE 3000
# No HEALTHCHECK: Reveille checks agents itself, and Swarm would show a task as running only after the first one.
CMD ["node", "agents/hello/main.ts"]

# With all that only builds: the compiler of the daemon, and the bundler of the page.
FROM ${NODE_IMAGE} AS development
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./

FROM development AS page
COPY src/contract ./src/contract
COPY src/std ./src/std
COPY agents ./agents
RUN npm run build:page

FROM runtime AS world
USER 0
COPY src/contract ./src/contract
COPY src/std ./src/std
COPY agents ./agents
COPY --from=page /app/agents/trooper/page/dist ./agents/trooper/page/dist
# A new volume takes its owner from what it covers. HOME is where PicoClaw looks for its config, where there is one.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/world
LABEL org.opencontainers.image.title="reveille-world" \
      org.opencontainers.image.description="Bob's World: troopers that play, talk and write poems, asleep until somebody looks." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
USER 10001:10001
ENV PORT=3000 HOST=0.0.0.0 HOME=/var/lib/world PICOCLAW_ENABLED=0 REVOLT_SNAPSHOT_DIR=/var/lib/world/snapshots
EXPOSE 3000
CMD ["node", "agents/trooper/main.ts"]

# Below node_modules and in dist Node strips no types, so what is installed is JavaScript.
FROM development AS build
COPY tools/build.ts ./tools/build.ts
COPY src ./src
RUN npm run build

FROM runtime AS reveille
USER 0
COPY --from=build /app/dist ./dist
COPY deploy/healthcheck /usr/local/bin/healthcheck
# The directory is made here because a new volume takes its owner from what it covers.
RUN ln -s /app/dist/cli/main.js /usr/local/bin/reveille \
 && chmod 0755 /usr/local/bin/healthcheck \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/reveille
LABEL org.opencontainers.image.title="reveille" \
      org.opencontainers.image.description="A wake-on-demand reverse proxy for agents." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
USER 10001:10001
# Where the config is, so that `docker exec CONTAINER reveille status` finds it by itself.
WORKDIR /etc/reveille
EXPOSE 8080 9180
# Every 5 s, because Swarm lets others find the daemon by its name only after the first check has passed.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["healthcheck", "9180"]
# Node is the first process and meets SIGTERM. There is no init in here: the swarm engine starts no processes. With
# `engine: process` run it with --init (in a stack: `init: true`), or what agents leave behind stays as zombies.
ENTRYPOINT ["reveille"]
CMD ["serve", "--config", "/etc/reveille/orchestrator.yaml"]
