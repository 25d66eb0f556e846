#!/usr/bin/env bash
# Checks a running sample with curl: connections are ended after about 100 requests, none is lost.
#
# usage: envoy/verify.sh [URL [ADMIN_URL]]
#   URL        the gateway, or the balancer in front of it   (http://localhost:10000)
#   ADMIN_URL  Envoy's admin endpoint                        (http://localhost:9901)
set -euo pipefail

url=${1:-http://localhost:10000}
admin=${2:-http://localhost:9901}
requests=250

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

command -v curl >/dev/null || fail "curl is not installed"
curl --silent --output /dev/null --max-time 5 "$url/" || fail "nothing answers at $url"

# One curl process keeps its connection for as long as the server lets it.
log=$(curl --silent --http1.1 --max-time 60 --output /dev/null \
  --write-out '%{http_code} %{num_connects}\n' "$url/?[1-$requests]")
answered=$(grep --count '^200 ' <<<"$log" || true)
connections=$(awk '{ sum += $2 } END { print sum }' <<<"$log")

echo "$requests requests, $answered answered with 200, over $connections connections"
[ "$answered" -eq "$requests" ] || fail "every request must be answered with 200"
[ "$connections" -ge 3 ] || fail "a connection must end after at most 100 requests, is evenkeel loaded?"
[ "$connections" -le 4 ] || fail "a connection must carry at least 90 requests"

if stats=$(curl --silent --fail --max-time 5 "$admin/stats?filter=wasmcustom.evenkeel_"); then
  echo "$stats"
  grep --quiet 'evenkeel_drain_ignored: 0$' <<<"$stats" ||
    fail "requests kept coming on connections that were told to end, is the drain helper installed?"
else
  echo "$admin is not reachable from here, so the statistics were not checked"
fi
echo "OK"
