// Sizes of this processor's caches, asked of the system once.
#pragma once

#include <cstddef>

namespace bisr {

struct Caches {
    std::size_t first, second; // bytes of a core's data cache and of the cache behind it
};

// Where the system does not tell: 32 kB and 256 kB, what small processors have.
const Caches& caches();

} // namespace bisr
