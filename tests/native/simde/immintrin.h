// Stands in for the compiler's header: AVX-512 intrinsics emulated by SIMDe, so that a kernel file can be compiled
// unchanged and run on a processor without AVX-512.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#ifndef _CMP_GE_OQ
#define _CMP_GE_OQ SIMDE_CMP_GE_OQ
#endif
