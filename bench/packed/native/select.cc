#include "select.h"

#include <stdexcept>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace bisr {
namespace {

bool always() { return true; }

#if defined(__x86_64__)
// The compiler's run-time library asks the processor and, through xgetbv, whether the system saves the wide registers.
bool has_avx2() { return __builtin_cpu_supports("avx2"); }
bool has_avx512_vpopcnt() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq");
}
#elif defined(__AARCH64EL__)
bool has_dot() {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
    return true; // in every processor that Apple has sold with macOS
#else
    return false;
#endif
}
#endif

// Fastest first. A processor with AVX-512 also has AVX2, which serves the integer layers and the epilogue.
const Kernel kTable[] = {
#if defined(__x86_64__)
    {"avx512_vpopcnt", has_avx512_vpopcnt, &avx512_vpopcnt::binary, &avx2::integer, &avx2::narrow, avx2::epilogue},
    {"avx2", has_avx2, &avx2::binary, &avx2::integer, &avx2::narrow, avx2::epilogue},
#elif defined(__AARCH64EL__)
    {"neon_dot", has_dot, &neon::binary, &neon::bytes, nullptr, neon::epilogue},
    {"neon", always, &neon::binary, &neon::integer, nullptr, neon::epilogue},
#endif
    {"portable", always, &portable::binary, &portable::integer, nullptr, portable::epilogue},
};

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

} // namespace

std::vector<std::string> supported_kernels() {
    std::vector<std::string> names;
    for (const Kernel& kernel : kTable) {
        if (kernel.supported()) {
            names.emplace_back(kernel.name);
        }
    }
    return names;
}

const Kernel& select_kernel(const std::string& forced) {
    bool known = false;
    for (const Kernel& kernel : kTable) {
        if (!forced.empty() && forced != kernel.name) {
            continue;
        }
        known = true;
        if (kernel.supported()) {
            return kernel;
        }
    }
    throw std::invalid_argument("kernel '" + forced + "' " + (known ? "does not run on this processor" : "is unknown") +
                                ": expected one of " + joined(supported_kernels()));
}

} // namespace bisr
