// Which kernels this program holds, which of them this processor can run, and which one to use.
#pragma once

#include "kernels.h"

#include <string>
#include <vector>

namespace bisr {

struct Kernel {
    const char* name;
    // Null when this processor and system can run the kernel, else why not.
    const char* (*refusal)();
    const BinaryOps* binary;
    const IntegerOps* integer;
    const IntegerOps* narrow; // faster where the layer's products leave room in its sum_limit; null if there is none
    Epilogue epilogue;
    bool epilogue_signs; // the epilogue takes the next layer's signs too
    // What a thread does before and after its share of a layer; null for nothing.
    void (*enter)() = nullptr;
    void (*leave)() = nullptr;
};

// Names of the kernels that this processor can run, fastest first.
std::vector<std::string> supported_kernels();

// "name (what is wrong)" of every kernel whose self-check has run in this process and failed.
std::vector<std::string> failed_kernels();

// The kernel with this name, or the fastest supported one when `forced` is empty; a kernel that fails its self-check,
// which runs when it is first asked for, is passed over. Throws std::invalid_argument, naming the supported ones, when
// the name is unknown, this processor cannot run it, or it fails.
const Kernel& select_kernel(const std::string& forced);

} // namespace bisr
