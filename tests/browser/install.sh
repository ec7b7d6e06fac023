#!/bin/sh
# Bring what the browser tests need into a folder, as far as that can be had here:
# two packages of npm, and Chromium where this user may install it. What is missing
# afterwards is said by the tests, which then skip.
set -u
folder="$1"
mkdir -p "$folder"
if ! command -v npm >/dev/null; then
    echo "no npm: install Node.js to run the browser tests" >&2
    exit 0
fi
[ -d "$folder/node_modules/axe-core" ] && [ -d "$folder/node_modules/playwright-core" ] ||
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock \
        playwright-core@1.65.1 axe-core@4.14.1
for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install -y --no-install-recommends chromium ||
        { apt-get update && apt-get install -y --no-install-recommends chromium; }
else
    echo "no Chromium: install it, or set CHROMIUM to its path" >&2
fi
exit 0
