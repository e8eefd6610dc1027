// Whether a kernel computes, on this very processor, what the portable one computes.
#pragma once

#include "select.h"

namespace bisr {

// Runs small layers of every kind on both, a few milliseconds in all. Empty when all bits agree, else what differs.
std::string self_check(const Kernel& kernel, const Kernel& reference);

} // namespace bisr
