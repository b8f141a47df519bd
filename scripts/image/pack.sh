#!/bin/sh
# pack.sh BUILT APP: takes what runs of each of Waymark's packages that APP's node_modules link to, out of BUILT.
set -eu
built=$1 app=$2
cd "$app"
for link in node_modules/@waymark/*; do
  folder=$(realpath --relative-to="$app" "$link")
  for part in bin dist build; do
    [ ! -d "$built/$folder/$part" ] || cp -r "$built/$folder/$part" "$folder/"
  done
done
# packages that nothing here links to, test programs, and what only compilers and debuggers read
for manifest in proto/package.json libs/*/package.json services/*/package.json; do
  folder=${manifest%/package.json}
  name=$(node -p 'require(`./${process.argv[1]}`).name' "$manifest")
  [ -e "node_modules/$name" ] || rm -r "$folder"
done
rm -rf bench tests package-lock.json .npmrc libs/*/dist/test libs/bpf-runtime/build/*.stamp services/*/build/*.stamp
find proto libs services -path '*/dist/*' \( -name '*.d.ts' -o -name '*.map' -o -name '*.tsbuildinfo' \) -delete
find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' -o -name '*.md' \) -delete
