// Random layers over a grid of shapes, run by two kernels through the real layer driver. Included by each check program.
//
// Arrays end where their allocation ends and begin one element after it does, so that a sanitizer sees any access beyond
// them, and kernels meet floats that no vector is aligned to.
#pragma once

#include "layer.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace cases {

using namespace bisr;

enum class Kind { binary, sign_integer, uniform };

struct Case {
    Kind kind;
    Geometry geometry;
    int n, h, w;
    int low, high;    // uniform inputs
    int weight_most;  // integer weights: largest magnitude
    int vectors;      // bits: bias, pre, slope, post, scale map, shift of uniform inputs
    Skip skip;
};

// What a layer reads.
struct Content {
    SignQuantizer sign;
    UniformQuantizer uniform;
    std::vector<std::uint64_t> bits;
    std::vector<std::int8_t> weights;
    EpilogueVectors epilogue;
    std::vector<float> x, skip, scale_map; // each with one element before the first
};

inline std::size_t outputs(const Case& c) {
    return static_cast<std::size_t>(c.n) * c.geometry.out_h(c.h) * c.geometry.out_w(c.w);
}

inline Content content(const Case& c, std::mt19937_64& random) {
    const Geometry& g = c.geometry;
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    const auto floats = [&](std::size_t count) {
        std::vector<float> all(count);
        for (float& value : all) {
            value = uniform(random);
        }
        return all;
    };
    const int used = g.in_channels % 64;
    const std::uint64_t last = used == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << used) - 1;
    const auto words = [&](std::size_t rows) {
        std::vector<std::uint64_t> all(rows * g.words());
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i] = random() & ((i + 1) % g.words() == 0 ? last : ~std::uint64_t{0});
        }
        return all;
    };
    Content made;
    const std::size_t rows = static_cast<std::size_t>(g.bases) * g.out_channels * g.taps();
    made.sign = {floats(g.in_channels), words(1)};
    made.uniform = {(c.vectors & 32) != 0 ? floats(g.in_channels) : std::vector<float>{}, 0.1f,
                    static_cast<float>(c.low), static_cast<float>(c.high)};
    if (c.kind == Kind::binary) {
        made.bits = words(rows);
    } else {
        std::uniform_int_distribution<int> weight(-c.weight_most, c.weight_most == 128 ? 127 : c.weight_most);
        made.weights.resize(rows * g.in_channels);
        for (std::int8_t& value : made.weights) {
            value = static_cast<std::int8_t>(weight(random));
        }
    }
    const auto vector = [&](int bit) {
        return (c.vectors & bit) != 0 ? floats(g.out_channels) : std::vector<float>{};
    };
    made.epilogue = {floats(static_cast<std::size_t>(g.bases) * g.out_channels), vector(1), vector(2), vector(4), vector(8),
                     c.skip};

    // Some values exactly on decision points, some special ones.
    const float special[] = {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), std::nanf(""), 1e-42f, -3e38f};
    made.x = floats(1 + static_cast<std::size_t>(c.n) * c.h * c.w * g.in_channels);
    for (std::size_t i = 1; i < made.x.size(); ++i) {
        const std::size_t channel = (i - 1) % g.in_channels;
        const float level = 0.1f * (static_cast<float>(c.low + static_cast<int>(i) % (c.high - c.low + 1)) + 0.5f);
        made.x[i] = i % 11 == 0  ? special[i % 7]
                    : i % 5 != 0 ? (c.kind == Kind::uniform ? level * made.x[i] * 2 : made.x[i])
                                 : (c.kind == Kind::uniform ? level : made.sign.threshold[channel]);
    }
    if (c.skip != Skip::none) {
        made.skip = floats(1 + outputs(c) * g.out_channels);
        for (std::size_t i = 1; i < made.skip.size(); i += 13) {
            made.skip[i] = special[i % 7];
        }
    }
    if ((c.vectors & 16) != 0) {
        made.scale_map = floats(1 + outputs(c));
    }
    return made;
}

struct Answer {
    std::vector<std::int32_t> sums;
    std::vector<float> floats;
};

inline Layer layer(const Kernel& kernel, const Case& c, const Content& given) {
    switch (c.kind) {
    case Kind::binary:
        return {kernel, c.geometry, given.sign, given.bits.data(), given.epilogue};
    case Kind::sign_integer:
        return {kernel, c.geometry, given.sign, given.weights.data(), given.epilogue};
    default:
        return {kernel, c.geometry, given.uniform, given.weights.data(), given.epilogue};
    }
}

inline Answer answer(const Layer& layer, const Case& c, const Content& given, int threads) {
    const std::size_t count = outputs(c) * c.geometry.out_channels;
    Answer all{std::vector<std::int32_t>(c.geometry.bases * count), std::vector<float>(1 + count)};
    Image image{given.x.data() + 1, c.n, c.h, c.w};
    std::vector<std::uint64_t> bits;
    if (layer.binary() && threads % 2 == 0) {
        // As if the layer before had taken the signs.
        const int pixels = c.n * c.h * c.w;
        bits.resize(pixels * layer.packed_bytes() / sizeof bits[0]);
        auto* packed = reinterpret_cast<unsigned char*>(bits.data());
        layer.pack(image.x, pixels, packed);
        image.packed = packed;
    }
    Result result;
    result.sums = all.sums.data();
    layer.run(image, result, threads);
    result.sums = nullptr;
    result.out = all.floats.data() + 1;
    result.skip = given.skip.empty() ? nullptr : given.skip.data() + 1;
    result.scale_map = given.scale_map.empty() ? nullptr : given.scale_map.data() + 1;
    layer.run(image, result, threads);
    return all;
}

// Bit for bit, but any NaN equals any other: which one an addition returns is the compiler's choice.
inline bool equal(const Answer& a, const Answer& b) {
    bool same = a.sums == b.sums;
    for (std::size_t i = 0; same && i < a.floats.size(); ++i) {
        same = std::memcmp(&a.floats[i], &b.floats[i], sizeof(float)) == 0 ||
               (std::isnan(a.floats[i]) && std::isnan(b.floats[i]));
    }
    return same;
}

// The case list; two layers of five have integers on one side unless `binary_only`.
template <typename Visit>
bool each(bool binary_only, Visit visit) {
    const std::array<std::pair<int, int>, 6> ranges{{{0, 15}, {-128, 127}, {0, 255}, {-2, 1}, {-4, 3}, {3, 130}}};
    int i = 0;
    for (const int in_channels : {1, 3, 15, 16, 17, 60, 63, 64, 65, 130, 256}) {
        for (const int out_channels : {1, 31, 33, 65}) {
            for (const auto& [kernel_h, kernel_w, pad] : {std::array{1, 1, 0}, {3, 3, 1}, {1, 3, 1}, {5, 5, 2}}) {
                if (kernel_h == 5 && in_channels > 65) {
                    continue; // long to compute, and in nothing unlike 3x3
                }
                const Geometry geometry{in_channels, out_channels, 1 + i % 3, kernel_h, kernel_w, 1 + i % 2,
                                        kernel_h == 1 ? 0 : pad, pad, 1 + i / 2 % 2};
                const auto& [low, high] = ranges[i % 6];
                const Kind kind = binary_only || i % 5 < 3 ? Kind::binary : i % 5 == 3 ? Kind::uniform : Kind::sign_integer;
                const Case c{kind,  geometry, 1 + i % 2, 5 + 2 * (kernel_h > 1), i % 8 == 0 ? 45 : 13, low,
                             high, i % 7 == 0 ? 128 : i % 7 == 1 ? 1 : 7, i * 37 % 64, static_cast<Skip>(i / 3 % 3)};
                if (!visit(c)) {
                    std::printf("case %d: kind %d, %d -> %d channels, kernel %dx%d, stride %d, dilation %d\n", i,
                                static_cast<int>(kind), in_channels, out_channels, kernel_h, kernel_w, geometry.stride,
                                geometry.dilation);
                    return false;
                }
                ++i;
            }
        }
    }
    std::printf("%d cases agree\n", i);
    return true;
}

// True when every kernel gives, with one of these numbers of threads drawn for each case, what the portable one gives
// with one thread.
inline bool agree(const Kernel& portable, const std::vector<Kernel>& kernels, bool binary_only,
                  const std::vector<int>& threads) {
    std::mt19937_64 random(0);
    return each(binary_only, [&](const Case& c) {
        const Content given = content(c, random);
        const Answer expected = answer(layer(portable, c, given), c, given, 1);
        const int count = threads[random() % threads.size()];
        for (const Kernel& kernel : kernels) {
            if (!equal(expected, answer(layer(kernel, c, given), c, given, count))) {
                std::printf("%s with %d threads differs from portable: ", kernel.name, count);
                return false;
            }
        }
        return true;
    });
}

} // namespace cases
