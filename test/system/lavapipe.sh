#!/usr/bin/env bash
# lavapipe.sh FOLDER: Mesa's Vulkan driver in software and Vulkan's loader, unpacked into FOLDER and not installed. Of Debian
# 12's backports: WebGPU refuses the Mesa of Debian 12 itself.
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
# two tests may want it at once
exec 9> "$folder/lock"
flock 9
[ -e "$folder/lavapipe.json" ] && exit
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
key=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in bookworm bookworm-backports; do
  echo "deb [signed-by=$key] http://deb.debian.org/debian $suite main"
done > "$folder/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=- \
    -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
# what is installed already is not fetched
apt install --download-only --no-install-recommends -y -t bookworm-backports mesa-vulkan-drivers libvulkan1
for package in "$folder"/cache/archives/*.deb; do dpkg -x "$package" "$folder/root"; done
library=$folder/root/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so
sed "s|\"libvulkan_lvp.so\"|\"$library\"|" "$folder/root/usr/share/vulkan/icd.d/lvp_icd.json" > "$folder/part.json"
mv "$folder/part.json" "$folder/lavapipe.json"
