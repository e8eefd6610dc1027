// Runs the kernels of wide instruction sets, compiled against an emulation of their instructions, against the portable
// one. Prints the number of cases; exits with 1 at the first difference.
#include "cases.h"
#include "chains.h"
#include "self_check.h"

namespace {

using namespace bisr;

const char* never() { return nullptr; }

const Kernel kPortable{"portable", never, &portable::binary, &portable::integer, nullptr, portable::epilogue, false};
const std::vector<Kernel> kEmulated{
    {"amx_int8", never, &amx_int8::binary, &amx_int8::integer, nullptr, avx512::epilogue, true, amx_int8::enter,
     amx_int8::leave},
    {"avx512_vpopcnt", never, &avx512_vpopcnt::binary, &portable::integer, nullptr, avx512::epilogue, true},
};

void off_by_one(const Span& span, std::int32_t* sums) {
    portable::binary.accumulate(span, sums);
    ++sums[0];
}

// A kernel checks itself when it is first selected: that must pass the right ones and no wrong one.
bool self_checks() {
    for (const Kernel& kernel : kEmulated) {
        const std::string found = self_check(kernel, kPortable);
        if (!found.empty()) {
            std::printf("%s: %s\n", kernel.name, found.c_str());
            return false;
        }
    }
    BinaryOps wrong = portable::binary;
    wrong.accumulate = off_by_one;
    const Kernel kernel{"wrong", never, &wrong, &portable::integer, nullptr, portable::epilogue, false};
    if (self_check(kernel, kPortable).empty()) {
        std::printf("the self-check passes a wrong kernel\n");
        return false;
    }
    return true;
}

} // namespace

int main() {
    const bool same = self_checks() && cases::agree(kPortable, kEmulated, false, {1, 2}) &&
                      cases::chains_agree(kPortable, kEmulated, 30, {1, 3});
    return same ? 0 : 1;
}
