// Which kernels this program holds, which of them this processor can run, and which one to use.
#pragma once

#include "kernels.h"

#include <string>
#include <vector>

namespace bisr {

struct Kernel {
    const char* name;
    bool (*supported)();
    const BinaryOps* binary;
    const IntegerOps* integer;
    const IntegerOps* narrow; // faster where the layer's products leave room in its sum_limit; null if there is none
    Epilogue epilogue;
};

// Names of the kernels that this processor can run, fastest first.
std::vector<std::string> supported_kernels();

// The kernel with this name, or the fastest supported one when `forced` is empty. Throws std::invalid_argument, naming
// the supported ones, when the name is unknown or this processor cannot run it.
const Kernel& select_kernel(const std::string& forced);

} // namespace bisr
