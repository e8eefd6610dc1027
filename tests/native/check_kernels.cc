// Prints the kernels of this processor (or emulator). With numbers of threads on the command line, also runs each against
// the portable one: prints the numbers of layers and of chains, or exits with 1 at the first difference.
#include "cases.h"
#include "chains.h"

#include <cstdlib>

int main(int count, char** words) {
    std::vector<int> threads;
    for (int i = 1; i < count; ++i) {
        threads.push_back(std::atoi(words[i]));
    }
    std::vector<bisr::Kernel> kernels;
    for (const std::string& name : bisr::supported_kernels()) {
        kernels.push_back(bisr::select_kernel(name));
        std::printf("%s ", name.c_str());
    }
    const bisr::Kernel& portable = bisr::select_kernel("portable");
    const bool same = threads.empty() || (cases::agree(portable, kernels, false, threads) &&
                                          cases::chains_agree(portable, kernels, 30, threads));
    return same ? 0 : 1;
}
