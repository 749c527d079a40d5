#!/usr/bin/env bash
# Fetches what components deploy: llm-d's charts. Arguments are those of hack/fetch-helm-charts.sh.
set -euo pipefail
exec "$(dirname "$0")/hack/fetch-helm-charts.sh" "$@"
