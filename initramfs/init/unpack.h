/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_UNPACK_H
#define RIG_UNPACK_H

#include <stddef.h>

/*
 * Puts the files of a cpio archive (`newc`, initramfs/cpio.py) in the root, as the kernel does with an initramfs: what is
 * there is replaced. Returns NULL, or one line on what is wrong.
 */
const char *unpack(const char *archive, size_t size);

#endif
