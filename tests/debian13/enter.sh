#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# enter.sh ROOT COMMAND...: the command in the root file system ROOT, which becomes / of this mount namespace.
set -eu
root=$1
shift
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p old proc sys dev tmp
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs tmpfs tmp
pivot_root . old
cd /
umount -l /old
exec "$@"
