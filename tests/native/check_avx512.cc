// Runs the AVX-512 kernel, compiled against an emulation of its instructions, against the portable one. Prints the
// number of cases; exits with 1 at the first difference.
#include "cases.h"

namespace {

bool always() { return true; }

using namespace bisr;

const Kernel kPortable{"portable", always, &portable::binary, &portable::integer, nullptr, portable::epilogue};
const Kernel kEmulated{"avx512_vpopcnt", always, &avx512_vpopcnt::binary, &portable::integer, nullptr,
                       portable::epilogue};

} // namespace

int main() { return cases::agree(kPortable, {kEmulated}, true, {1, 2}) ? 0 : 1; }
