// Stands in for the compiler's header: AVX-512 emulated by SIMDe, AMX by the file beside it, so that a kernel file can
// be compiled unchanged and run on a processor without either.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#ifndef _CMP_GE_OQ
#define _CMP_GE_OQ SIMDE_CMP_GE_OQ
#endif
#ifndef _CMP_NGE_UQ
#define _CMP_NGE_UQ SIMDE_CMP_NGE_UQ
#endif

#include "amx_emulation.h"
#include "avx512_missing.h"
