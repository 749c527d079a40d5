#!/usr/bin/env bash
# Runs all examples of this folder, one after the other.
set -euo pipefail
cd "$(dirname "$0")"

for script in ./01-test-crd.sh ./02-test-operator.sh; do
  printf '\n##### %s\n' "$script"
  "$script"
done
printf '\nALL PASSED; ./cleanup-all-crd-operator.sh removes what is left\n'
