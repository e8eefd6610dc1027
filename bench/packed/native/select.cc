#include "select.h"

#include "amx_permission.h"
#include "self_check.h"

#include <mutex>
#include <optional>
#include <stdexcept>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace bisr {
namespace {

const char* never() { return nullptr; }

#if defined(__x86_64__)
// The compiler's run-time library asks the processor and, through xgetbv, whether the system saves the wide registers.
const char* avx2_refusal() { return __builtin_cpu_supports("avx2") ? nullptr : "needs AVX2"; }
const char* avx512_refusal() {
    const bool has_all = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
                         __builtin_cpu_supports("avx512vpopcntdq");
    return has_all ? nullptr : "needs AVX-512 with VPOPCNTDQ";
}
#elif defined(__AARCH64EL__)
const char* dot_refusal() {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? nullptr : "needs the dot product of bytes (ASIMDDP)";
#elif defined(__APPLE__)
    return nullptr; // in every processor that Apple has sold with macOS
#else
    return "is not known to run on this system";
#endif
}
#endif

// Fastest first. A processor with AVX-512 also has AVX2, which serves the integer layers.
const Kernel kTable[] = {
#if defined(__AARCH64EL__)
    {"neon_dot", dot_refusal, &neon::binary, &neon::bytes, nullptr, neon::epilogue, false},
    {"neon", never, &neon::binary, &neon::integer, nullptr, neon::epilogue, false},
#endif
#if defined(BISR_AMX)
    {"amx_int8", amx_refusal, &amx_int8::binary, &amx_int8::integer, nullptr, avx512::epilogue, true, amx_int8::enter,
     amx_int8::leave},
#endif
#if defined(__x86_64__)
    {"avx512_vpopcnt", avx512_refusal, &avx512_vpopcnt::binary, &avx2::integer, &avx2::narrow, avx512::epilogue, true},
    {"avx2", avx2_refusal, &avx2::binary, &avx2::integer, &avx2::narrow, avx2::epilogue, true},
#endif
    {"portable", never, &portable::binary, &portable::integer, nullptr, portable::epilogue, false},
};
constexpr int kKernels = sizeof kTable / sizeof kTable[0];
const Kernel& kPortable = kTable[kKernels - 1];

// What the self-check of a kernel found, once it has run: empty when nothing is wrong.
std::mutex g_mutex;
std::optional<std::string> g_findings[kKernels];

bool passes(const Kernel& kernel) {
    const std::lock_guard<std::mutex> lock(g_mutex);
    std::optional<std::string>& finding = g_findings[&kernel - kTable];
    if (!finding) {
        finding = &kernel == &kPortable ? "" : self_check(kernel, kPortable);
    }
    return finding->empty();
}

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
        if (kernel.refusal() == nullptr) {
            names.emplace_back(kernel.name);
        }
    }
    return names;
}

std::vector<std::string> failed_kernels() {
    const std::lock_guard<std::mutex> lock(g_mutex);
    std::vector<std::string> failures;
    for (int i = 0; i < kKernels; ++i) {
        if (g_findings[i] && !g_findings[i]->empty()) {
            failures.push_back(std::string(kTable[i].name) + " (" + *g_findings[i] + ")");
        }
    }
    return failures;
}

const Kernel& select_kernel(const std::string& forced) {
    std::string why = "is unknown";
    for (const Kernel& kernel : kTable) {
        if (!forced.empty() && forced != kernel.name) {
            continue;
        }
        if (const char* refusal = kernel.refusal()) {
            why = std::string("does not run on this processor (") + refusal + ")";
        } else if (passes(kernel)) {
            return kernel;
        } else {
            why = "failed its self-check on this processor (" + *g_findings[&kernel - kTable] + ")";
        }
    }
    throw std::invalid_argument("kernel '" + forced + "' " + why + ": expected one of " + joined(supported_kernels()));
}

} // namespace bisr
