#!/usr/bin/env bash
# Make sure that the public images which our Dockerfiles and docker-compose.yml name are here.
#
# Where a registry can be reached they are pulled as they are. Where none can, stand-ins are made
# under the same names from Debian's packages, so that everything above them builds unchanged.
set -euo pipefail
cd "$(dirname "$0")"

IMAGES=(python:3.11-slim-bookworm postgres:15 redis:7 debian:bookworm-slim influxdb:2.7)

have() { docker image inspect "$1" >/dev/null 2>&1; }

missing=()
for image in "${IMAGES[@]}"; do have "$image" || missing+=("$image"); done
[ ${#missing[@]} -eq 0 ] && exit 0

if timeout 60 docker pull --quiet "${missing[0]}" >/dev/null 2>&1; then
  for image in "${missing[@]}"; do docker pull --quiet "$image"; done
  exit 0
fi

echo "No image registry answers: making ${missing[*]} from Debian's packages ..."
[ "$(id -u)" -eq 0 ] || { echo "base-images.sh: needs root to build images without a registry" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "base-images.sh: install debootstrap first" >&2; exit 1; }

make_debian() {
  local rootfs mirror
  rootfs=$(mktemp -d)
  mirror=$(apt-get indextargets --format '$(REPO_URI)|$(CODENAME)' 'Created-By: Packages' |
    awk -F'|' '$2 == "bookworm" {print $1; exit}')
  debootstrap --variant=minbase --include=ca-certificates bookworm "$rootfs" "$mirror" >/dev/null
  # What this machine trusts, the image trusts: a proxy with its own authority may stand in between.
  cp /usr/local/share/ca-certificates/*.crt "$rootfs/usr/local/share/ca-certificates/" 2>/dev/null || true
  chroot "$rootfs" update-ca-certificates >/dev/null 2>&1
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$rootfs/etc/pip.conf"
  tar -C "$rootfs" --exclude='./proc/*' --exclude='./sys/*' --exclude='./var/lib/apt/lists/*' \
    --exclude='./var/cache/apt/archives/*' -c . |
    docker import --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
      --change 'CMD ["bash"]' - debian:bookworm-slim >/dev/null
  rm -rf "$rootfs"
}

have debian:bookworm-slim || make_debian
for image in "${missing[@]}"; do
  case $image in
    debian:*) ;;
    *) have "$image" || docker build --quiet --tag "$image" "standins/${image%%:*}" >/dev/null ;;
  esac
done
