#!/bin/sh
# sh deploy/secrets.sh AGENT... : makes the Docker secrets that stack.yml names, and nothing on disk.
#
# The first time it makes the operator's token, the secret of the daemon, and a token for each agent, derived from it. Later,
# while the daemon runs, it makes the tokens of agents that are new. What there is already is left as it is.
# It wants REVEILLE_IMAGE. SECRETS is a suffix of all names: with a new one everything is made anew, which is how to rotate.
set -eu

name() { printf '%s' "reveille_$1${SECRETS:-}"; }
has() { docker secret inspect "$(name "$1")" >/dev/null 2>&1; }
random() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
create() {
  docker secret create "$(name "$1")" - >/dev/null
  echo "made  $(name "$1")"
}

if has secret; then
  # Swarm gives no secret back, but its daemon has it.
  token_of() {
    daemon=$(docker ps --quiet --filter label=com.docker.swarm.service.name=reveille_reveille | head -n 1)
    if [ -z "$daemon" ]; then
      echo "$(name secret) is there, but no daemon runs on this node that could derive tokens from it" >&2
      exit 1
    fi
    docker exec "$daemon" reveille token "$1" --made-by-api
  }
else
  secret=$(random)
  # The secret goes in by stdin and not as an argument, which others could see in the list of processes.
  token_of() {
    printf '%s' "$secret" | docker run --rm --interactive --network none --entrypoint sh \
      "${REVEILLE_IMAGE:?give the id or digest of the daemon image}" -c '
        umask 077
        cat >/tmp/secret
        echo "{ secret_file: /tmp/secret, agents: {} }" >/tmp/config.yaml
        exec reveille token "$1" --made-by-api --config /tmp/config.yaml' sh "$1"
  }
fi

for agent in "$@"; do
  if has "token_$agent"; then
    # Of another secret, whose daemon is gone: Reveille would not know it.
    if [ -n "${secret:-}" ]; then
      echo "$(name "token_$agent") is older than the secret that is about to be made: docker secret rm it first" >&2
      exit 1
    fi
    continue
  fi
  token=$(token_of "$agent")
  printf '%s' "$token" | create "token_$agent"
done
if ! has admin_token; then random | create admin_token; fi
if [ -n "${secret:-}" ]; then printf '%s' "$secret" | create secret; fi
