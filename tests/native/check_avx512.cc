// Runs the AVX-512 kernel, compiled against an emulation of its instructions, and the portable one through the real
// layer driver over a grid of shapes. Prints the number of cases; exits with 1 at the first difference.
#include "layer.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

namespace {

using namespace bisr;

bool always() { return true; }

const Kernel kPortable{"portable", always, &portable::binary, &portable::integer, nullptr, portable::epilogue};
const Kernel kEmulated{"avx512_vpopcnt", always, &avx512_vpopcnt::binary, &portable::integer, nullptr,
                       portable::epilogue};

struct Case {
    Geometry geometry;
    int n, h, w;
};

std::vector<std::int32_t> sums(const Kernel& kernel, const Case& c, const SignQuantizer& input,
                               const std::vector<std::uint64_t>& bits, const std::vector<float>& x, int threads) {
    const Geometry& g = c.geometry;
    EpilogueVectors epilogue;
    epilogue.scale.assign(static_cast<std::size_t>(g.bases) * g.out_channels, 1.0f);
    const Layer layer(kernel, g, input, bits.data(), epilogue);
    std::vector<std::int32_t> out(static_cast<std::size_t>(g.bases) * c.n * g.out_h(c.h) * g.out_w(c.w) * g.out_channels);
    Result result;
    result.sums = out.data();
    layer.run({x.data(), c.n, c.h, c.w}, result, threads);
    return out;
}

bool agree(const Case& c, std::mt19937_64& random) {
    const Geometry& g = c.geometry;
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    SignQuantizer input;
    for (int i = 0; i < g.in_channels; ++i) {
        input.threshold.push_back(uniform(random));
    }
    const int used = g.in_channels % 64;
    const std::uint64_t last = used == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << used) - 1;
    const auto words = [&](std::size_t rows) {
        std::vector<std::uint64_t> all(rows * g.words());
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i] = random() & ((i + 1) % g.words() == 0 ? last : ~std::uint64_t{0});
        }
        return all;
    };
    input.flip = words(1);
    const std::vector<std::uint64_t> bits = words(static_cast<std::size_t>(g.bases) * g.out_channels * g.taps());
    const float special[] = {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), std::nanf("")};
    std::vector<float> x(static_cast<std::size_t>(c.n) * c.h * c.w * g.in_channels);
    for (std::size_t i = 0; i < x.size(); ++i) {
        // Some values exactly at the threshold, some special ones.
        x[i] = i % 7 == 0 ? input.threshold[i % g.in_channels] : i % 11 == 0 ? special[i % 5] : uniform(random);
    }
    const std::vector<std::int32_t> expected = sums(kPortable, c, input, bits, x, 1);
    return expected == sums(kEmulated, c, input, bits, x, 1) && expected == sums(kEmulated, c, input, bits, x, 2);
}

} // namespace

int main() {
    std::mt19937_64 random(0);
    int cases = 0;
    for (const int in_channels : {1, 3, 15, 16, 17, 60, 63, 64, 65, 130, 256}) {
        for (const int out_channels : {1, 8, 31, 33, 65}) {
            for (const auto& [kernel_h, kernel_w, pad] : {std::array{1, 1, 0}, {3, 3, 1}, {1, 3, 1}, {5, 5, 2}}) {
                const int stride = 1 + cases % 2, dilation = 1 + cases / 2 % 2, bases = 1 + cases % 3;
                const Geometry geometry{in_channels, out_channels, bases, kernel_h, kernel_w, stride,
                                        kernel_h == 1 ? 0 : pad, pad, dilation};
                const Case c{geometry, 1 + cases % 2, 5 + 4 * (kernel_h > 1), 13};
                if (!agree(c, random)) {
                    std::printf("differs: %d -> %d channels, kernel %dx%d, stride %d, dilation %d\n", in_channels,
                                out_channels, kernel_h, kernel_w, stride, dilation);
                    return 1;
                }
                ++cases;
            }
        }
    }
    std::printf("%d cases agree\n", cases);
    return 0;
}
