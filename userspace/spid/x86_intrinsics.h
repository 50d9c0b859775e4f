// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The intrinsics of x86-64, nothing elsewhere. g++ 12 warns about its own header (GCC bug 105593); that is kept quiet
// here, once. Private to spid/.
#pragma once

#if defined(__x86_64__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
