#!/bin/sh
# The files that clients are built with, as the binary writes them: no server runs.
set -e
cd "$(dirname "$0")"
bin=${BACKENDBOOK_BIN:-../../bin/backendbook}

mkdir -p generated
"$bin" schema print -o generated/schema.graphql
"$bin" schema possible-types -o generated/possibleTypes.json
"$bin" schema documents src/documents -o generated/documents.json
