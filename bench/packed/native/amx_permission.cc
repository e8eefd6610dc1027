#include "amx_permission.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace bisr {

#if defined(__linux__) && defined(__x86_64__)
namespace {

// Intel SDM volume 1, chapters 13 and 18: CPUID leaf 7 EDX 24 and 25 say that the processor has tiles and their int8
// products, XCR0 17 and 18 that the system saves them.
bool processor_has_amx() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kTileAndInt8 = 1u << 24 | 1u << 25;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kTileAndInt8) == kTileAndInt8;
}

bool system_saves_tiles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kOsxsave = 1u << 27;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsxsave) == 0) {
        return false;
    }
    std::uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr std::uint32_t kTileState = 1u << 17 | 1u << 18;
    return (low & kTileState) == kTileState;
}

// Linux lends the 8 KiB of tile data only to processes that ask (Documentation/arch/x86/xstate.rst).
bool system_permits_tiles() {
    constexpr int kRequestPermission = 0x1023, kTileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

const char* ask() {
    if (!processor_has_amx()) {
        return "needs AMX with int8";
    }
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) {
        return "needs AVX-512 with BW beside AMX";
    }
    if (!system_saves_tiles()) {
        return "the system does not save AMX registers: Linux 5.16 or newer does";
    }
    return system_permits_tiles() ? nullptr : "the system denies this process the AMX registers";
}

} // namespace

const char* amx_refusal() {
    static const char* const answer = ask();
    return answer;
}

#else

const char* amx_refusal() { return "needs Linux on x86-64"; }

#endif

} // namespace bisr
