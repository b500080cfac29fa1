#!/bin/sh
# Checks a JSON block of a document according to its kind: a put policy, a configuration, a rule of the emulator (or a
# list of them), or other JSON.
#
#   check-json.sh FILE      with CHECK_JSON_PROGRAM and EMULATOR in the environment
set -eu

file=$1
if ! command -v python3 >/dev/null; then
    echo "there is no Python (Debian: apt-get install python3)"
    exit 77
fi
python3 -m json.tool "$file" >/dev/null
if grep -q '"callbackUrl"' "$file"; then
    exec "$CHECK_JSON_PROGRAM" policy "$file"
fi
if grep -q '"private_key"' "$file"; then
    exec "$CHECK_JSON_PROGRAM" config "$file"
fi
if grep -q '"fault"' "$file" && ! grep -q '"requests"' "$file"; then
    python3 -c 'import json, sys
rules = json.load(open(sys.argv[1]))
for rule in rules if isinstance(rules, list) else [rules]: print(json.dumps(rule))' "$file" |
        while read -r rule; do
            "$EMULATOR" --listen 127.0.0.1:0 --quiet --until-stdin-ends --rule "$rule" </dev/null
        done
fi
