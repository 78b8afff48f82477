#!/usr/bin/env bash
# Makes an application appliance: source from git, Python and Node packages, a squashfs image, a smoke test.
#
# GIT_URL, PIP_INDEX, NPM_REGISTRY   where the parts come from      WORK   everything is made in here
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../steps.sh
. "$here/../steps.sh"
: "${GIT_URL:?}" "${PIP_INDEX:?}" "${NPM_REGISTRY:?}" "${WORK:?}" "${IMAGE_FOLDER:=$WORK}"
app=$WORK/app

start() {
  echo "app-appliance from $GIT_URL"
  git --version
  /usr/bin/python3 --version
  node --version
  df -h --output=size,avail,target "$IMAGE_FOLDER"
  rm -rf --one-file-system -- "$app" "$IMAGE_FOLDER"/*.squashfs
}

get_source() {
  git clone "$GIT_URL" "$app"
  git -C "$app" log --oneline -n 3
}

python_packages() {
  /usr/bin/python3 -m venv "$app/venv"
  "$app/venv/bin/pip" install --index-url "$PIP_INDEX" --trusted-host "$(host_of "$PIP_INDEX")" \
    --retries 2 --timeout 5 -r "$app/requirements.txt"
  "$app/venv/bin/pip" check
}

node_packages() {
  cd "$app/web"
  npm install --registry "$NPM_REGISTRY" --no-audit --no-fund --fetch-retries 1 --fetch-retry-mintimeout 500 \
    --fetch-retry-maxtimeout 1000
  npm ls
}

host_of() { local rest=${1#*://}; echo "${rest%%/*}"; }

render() {
  "$app/venv/bin/python" "$app/render.py" "$app/web/page.html.j2" "$app/web/page.html"
  node "$app/web/check.js" "$app/web/page.html"
}

pack() {
  mksquashfs "$app" "$IMAGE_FOLDER/app.squashfs" -noappend -no-progress -processors 1 -comp gzip -e .git
  sha256sum "$IMAGE_FOLDER/app.squashfs"
}

smoke() {
  unsquashfs -no-progress -dest "$WORK/unpacked" -force "$IMAGE_FOLDER/app.squashfs" web/page.html
  grep -c "appliance" "$WORK/unpacked/web/page.html"
}

step   0 start  -- start
step  10 source -- get_source
step  20 python -- python_packages
step  30 node   -- node_packages
step  40 render -- render
step  60 pack   -- pack
step  80 smoke  -- smoke
step 100 "done" -- echo "appliance is ready"
