#!/bin/sh
# Healthy while the service says that it measures, and has said so lately: one that is stopped or stuck says nothing.
file=${WAYMARK_HEALTH_FILE:-/run/waymark/health}
[ -e "$file" ] || { echo "not measuring: there is no $file"; exit 1; }
[ -n "$(find "$file" -mmin -0.15)" ] || { echo "no sign of life for 9 s"; exit 1; }
cat "$file"
grep -qx healthy "$file"
