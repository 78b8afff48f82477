# shellcheck shell=bash
# The one thing that the sample builds share: a step prints the built-in markers around what it runs.
#
#   step CODE NAME -- COMMAND…
#
# A step that fails ends the build with the step's own exit code, as `set -e` would.

set -uo pipefail
# A person who cancels ends the build here, without a word about a failure.
trap 'exit 130' INT TERM

step() {
  local code=$1 name=$2 status
  shift 3
  echo "::state $code started $name::"
  set +e
  # In a shell of its own, and not in a condition: there `set -e` would be without effect.
  (set -e; "$@")
  status=$?
  if [ "$status" -ne 0 ]; then
    echo "::state $code failed $name - exit $status::"
    exit "$status"
  fi
  echo "::state $code completed $name::"
}
