# The image of the world with PicoClaw in it, which then words what troopers say. PicoClaw is not ours: give an image that has
# the program, and a config for it as a Docker config at /var/lib/world/.picoclaw/config.json.
#
#     docker build -q -f deploy/picoclaw.Dockerfile --build-arg WORLD_IMAGE=... --build-arg PICOCLAW_IMAGE=...@sha256:... .
#
# Deploy it as WORLD_IMAGE, with PICOCLAW_ENABLED=1.
ARG WORLD_IMAGE
ARG PICOCLAW_IMAGE
FROM ${PICOCLAW_IMAGE} AS picoclaw

FROM ${WORLD_IMAGE}
ARG PICOCLAW_PATH=/usr/local/bin/picoclaw
COPY --from=picoclaw ${PICOCLAW_PATH} /usr/local/bin/picoclaw
