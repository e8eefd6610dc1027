#include "caches.h"

#include <unistd.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace bisr {
namespace {

constexpr std::size_t kFirst = 32 << 10, kSecond = 256 << 10;

std::size_t at_least(long size, std::size_t least) {
    return size > 0 && static_cast<std::size_t>(size) > least ? static_cast<std::size_t>(size) : least;
}

Caches ask() {
    long first = 0, second = 0;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    first = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    second = sysconf(_SC_LEVEL2_CACHE_SIZE);
#elif defined(__APPLE__)
    std::size_t length = sizeof first;
    sysctlbyname("hw.perflevel0.l1dcachesize", &first, &length, nullptr, 0);
    length = sizeof second;
    sysctlbyname("hw.perflevel0.l2cachesize", &second, &length, nullptr, 0);
#endif
    return {at_least(first, kFirst), at_least(second, kSecond)};
}

} // namespace

const Caches& caches() {
    static const Caches sizes = ask();
    return sizes;
}

} // namespace bisr
